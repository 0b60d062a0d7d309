/** The demo backend through Ollama's own client: it must pass for an Ollama. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ollama } from 'ollama';
import { exampleOf } from '../../src/node/demo/answers.ts';
import { startDemoBackend, type DemoBackend } from '../../src/node/demo/server.ts';

let demo: DemoBackend;
let client: Ollama;

beforeAll(async () => {
  demo = await startDemoBackend({ tokenMs: 0 });
  client = new Ollama({ host: demo.url });
});
afterAll(() => demo.close());

const user = (content: string): { role: string; content: string } => ({ role: 'user', content });
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: '',
    parameters: {
      type: 'object',
      required: ['city'],
      properties: { city: { type: 'string', description: '' }, unit: { type: 'string', enum: ['C', 'F'] } },
    },
  },
};

describe('the demo backend', () => {
  it('lists, describes and shows its model', async () => {
    expect((await client.list()).models.map(({ name }) => name)).toEqual(['demo']);
    expect((await client.ps()).models).toHaveLength(1);
    expect((await client.version()).version).toMatch(/^\d+\.\d+/);
    expect((await client.show({ model: 'demo' })).capabilities).toContain('tools');
  });

  it('streams an answer token by token that calls itself simulated', async () => {
    const records = [];
    for await (const record of await client.chat({
      model: 'demo',
      messages: [user('Hello?')],
      stream: true,
    })) {
      records.push(record);
    }
    const text = records.map(({ message }) => message.content).join('');
    expect(text).toMatch(/Hello\?.*simulated/s);
    expect(records.length).toBeGreaterThan(10);
    expect(records.at(-1)).toMatchObject({ done: true, done_reason: 'stop', eval_count: records.length - 1 });
  });

  it('answers in one piece, too', async () => {
    const { message, done } = await client.chat({ model: 'demo', messages: [user('Hi')] });
    expect([message.content.includes('simulated'), done]).toEqual([true, true]);
  });

  it('calls the tool that is spoken of, and answers with its result', async () => {
    const asked = await client.chat({
      model: 'demo',
      messages: [user('What is the weather in Paris?')],
      tools: [weather],
    });
    expect(asked.message.tool_calls?.map((call) => call.function)).toMatchObject([
      { name: 'get_weather', arguments: { city: 'Paris', unit: 'C' } },
    ]);
    const told = await client.chat({
      model: 'demo',
      messages: [
        user('What is the weather in Paris?'),
        asked.message,
        { role: 'tool', content: '18 degrees' },
      ],
      tools: [weather],
    });
    expect(told.message.content).toContain('18 degrees');
  });

  it('thinks when it is asked to', async () => {
    const { message } = await client.chat({ model: 'demo', messages: [user('Hi')], think: true });
    expect(message.thinking).not.toBe('');
    expect((await client.chat({ model: 'demo', messages: [user('Hi')] })).message.thinking ?? '').toBe('');
  });

  it('keeps to a schema, a limit of tokens and stop strings', async () => {
    const format = {
      type: 'object',
      properties: { n: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
    };
    const { message } = await client.chat({ model: 'demo', messages: [user('Give me 7 in Rome')], format });
    expect(JSON.parse(message.content)).toEqual({ n: 7, tags: ['Rome'] });
    const short = await client.chat({ model: 'demo', messages: [user('Hi')], options: { num_predict: 3 } });
    expect([short.done_reason, short.eval_count]).toEqual(['length', 3]);
    const stopped = await client.chat({
      model: 'demo',
      messages: [user('Hi')],
      options: { stop: ['simulated'] },
    });
    expect(stopped.message.content).not.toContain('simulated');
  });

  it('generates and embeds', async () => {
    expect((await client.generate({ model: 'demo', prompt: 'Once' })).response).toContain('Once');
    const { embeddings } = await client.embed({ model: 'demo', input: ['a', 'b', 'a'] });
    expect(embeddings[0]).toEqual(embeddings[2]);
    expect(embeddings[0]).not.toEqual(embeddings[1]);
    expect(Math.hypot(...(embeddings[0] ?? []))).toBeCloseTo(1);
  });

  it('fails as an Ollama fails', async () => {
    await expect(client.chat({ model: 'nope', messages: [user('Hi')] })).rejects.toMatchObject({
      status_code: 404,
    });
    const long = { model: 'demo', messages: [user('word '.repeat(10_000))], truncate: false, stream: false };
    const response = await fetch(`${demo.url}/api/chat`, { method: 'POST', body: JSON.stringify(long) });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toContain('exceed_context_size_error');
    expect((await fetch(`${demo.url}/api/nope`)).status).toBe(404);
  });
});

it('an example fits its schema, also one that refers to itself without end', () => {
  const endless: Record<string, unknown> = { type: 'object' };
  endless.properties = { child: endless };
  expect(JSON.stringify(exampleOf(endless, '')).length).toBeLessThan(500);
  expect(exampleOf({ anyOf: [{ const: 'x' }] }, '')).toBe('x');
});
