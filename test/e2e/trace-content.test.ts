/** What people say to models is in traces only where the operator wants it, and no key ever is. */

import { describe, expect, it } from '@jest/globals';
import { ollamaDone, ollamaToken, saying } from '../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { createTracedSetup, type Traced } from '../support/traced.ts';

const setup = createSetup();
const startTraced = createTracedSetup(setup);

const KEY = 'key-of-a-client-that-nobody-may-see';
const BACKEND_KEY = 'sk-of-the-backend-that-nobody-may-see';
const WANTED = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };
const TOOLS = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
const ASKED = {
  messages: [
    { role: 'system', content: 'be kind' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'what is this?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
      ],
    },
    {
      role: 'assistant',
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"a":1}' } }],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
  ],
  stop: ['harbour'],
  tools: TOOLS,
  user: 'someone',
};

async function ask({ gateway }: Traced, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` };
  const response = await gateway.chat({ ...body }, { headers });
  expect(response.status).toBe(200);
  await response.text();
}

function messagesOf(attributes: Readonly<Record<string, unknown>> | undefined, name: string): unknown {
  return JSON.parse(String(attributes?.[`gen_ai.${name}.messages`]));
}

describe.each(KINDS_OF_STREAM)('with %s', (_, variable) => {
  it.each([true, false])('nothing that was said is told (streamed: %s)', async (stream) => {
    const backend = await setup.backend(saying('a lighthouse'));
    const keys = { AUTH_KEY: KEY, OPENAI_API_KEY: BACKEND_KEY };
    const traced = await startTraced({ env: { [variable]: backend.url, ...keys } });
    await ask(traced, { ...ASKED, stream });
    await traced.spans(2);
    const sent = traced.receiver.requests.map(({ text }) => text).join('');
    for (const secret of [
      ...[
        'be kind',
        'what is this',
        'iVBOR',
        '"a":1',
        'sunny',
        'harbour',
        'weather',
        'someone',
        'lighthouse',
      ],
      ...[KEY, BACKEND_KEY],
    ]) {
      expect(sent).not.toContain(secret);
    }
  });

  it.each([true, false])('it is where that is wanted (streamed: %s)', async (stream) => {
    const backend = await setup.backend(saying('a ', 'lighthouse é'));
    const traced = await startTraced({ env: { [variable]: backend.url, ...WANTED } });
    await ask(traced, { ...ASKED, stream });
    const [, client] = await traced.spans(2);
    expect(messagesOf(client?.attributes, 'input')).toEqual([
      { role: 'system', parts: [{ type: 'text', content: 'be kind' }] },
      {
        role: 'user',
        parts: [
          { type: 'text', content: 'what is this?' },
          { type: 'blob', modality: 'image' },
        ],
      },
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', id: 'call_1', name: 'weather', arguments: '{"a":1}' }],
      },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call_1', response: 'sunny' }] },
    ]);
    expect(messagesOf(client?.attributes, 'output')).toEqual([
      { role: 'assistant', parts: [{ type: 'text', content: 'a lighthouse é' }], finish_reason: 'stop' },
    ]);
  });
});

it('calls and thinking of a model are told with the rest', async () => {
  const called = { function: { name: 'weather', arguments: { city: 'Oslo' } } };
  const backend = await setup.backend(async (call) => {
    await call.write(ollamaToken('', { thinking: 'hm ' }) + ollamaToken('', { thinking: 'yes' }));
    await call.write(ollamaToken('', { tool_calls: [called] }));
    call.end(ollamaDone());
  });
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url, ...WANTED } });
  await ask(traced, { stream: true, tools: TOOLS });
  const [, client] = await traced.spans(2);
  expect(messagesOf(client?.attributes, 'output')).toMatchObject([
    {
      parts: [
        { type: 'reasoning', content: 'hm yes' },
        { type: 'tool_call', name: 'weather', arguments: '{"city":"Oslo"}' },
      ],
      finish_reason: 'tool_calls',
    },
  ]);
});

it('of long conversations the end is told, with long texts cut', async () => {
  const backend = await setup.backend(saying('x'.repeat(20_000)));
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url, ...WANTED } });
  const messages = Array.from({ length: 20 }, (_, i) => ({
    role: 'user',
    content: `${String(i)} ${'y'.repeat(9000)}`,
  }));
  await ask(traced, { messages });
  const [, client] = await traced.spans(2);
  expect(String(client?.attributes['gen_ai.input.messages']).length).toBeLessThanOrEqual(70_000);
  const asked = messagesOf(client?.attributes, 'input') as { parts: { content: string }[] }[];
  expect(asked.at(-1)?.parts[0]?.content).toMatch(/^19 y{8189}…$/);
  expect(asked.length).toBeLessThan(10);
  expect(messagesOf(client?.attributes, 'output')).toMatchObject([
    { parts: [{ content: `${'x'.repeat(8192)}…` }] },
  ]);
});

it('a text completion is told like a chat of one message', async () => {
  const record = { model: 'm', response: 'harbour', done: true, done_reason: 'stop' };
  const backend = await setup.backend(({ end }) => end(`${JSON.stringify(record)}\n`));
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url, ...WANTED } });
  const response = await fetch(`${traced.gateway.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', prompt: 'the ' }),
  });
  await response.text();
  const [, client] = await traced.spans(2);
  expect(messagesOf(client?.attributes, 'input')).toMatchObject([{ parts: [{ content: 'the ' }] }]);
  expect(messagesOf(client?.attributes, 'output')).toMatchObject([{ parts: [{ content: 'harbour' }] }]);
});
