/**
 * docs/clients/: Continue and Open WebUI. Base URL, key and models are those of the page; the requests are those that the
 * program makes with them.
 */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { WEATHER_PARAMETERS, WEATHER_QUESTION, weatherReport } from '../e2e/clients/scripted-model.ts';
import { readStream } from '../support/sse.ts';
import { blockOf, KEY, MODELS, startPagesGateway, type PagesGateway } from './pages-gateway.ts';

let gateway: PagesGateway;

beforeAll(async () => {
  gateway = await startPagesGateway();
});
afterAll(() => gateway.close());

const TOOLS = [{ type: 'function', function: { name: 'get_weather', parameters: WEATHER_PARAMETERS } }];

/** Asks with tools until the model has its answer, all of it streamed; resolves with the answer. */
async function converse(url: string, model: string): Promise<{ text: string; usage: unknown }> {
  const question = { role: 'user', content: WEATHER_QUESTION };
  const ask = { model, stream: true, stream_options: { include_usage: true }, tools: TOOLS };
  const asking = await readStream(await gateway.send(url, { ...ask, messages: [question] }));
  const calls = (
    asking.events as { choices?: { delta?: { tool_calls?: { index: number; id?: string }[] } }[] }[]
  )
    .flatMap(({ choices = [] }) => choices.flatMap(({ delta }) => delta?.tool_calls ?? []))
    .filter(({ id }) => id !== undefined);
  const results = calls.map(({ id }, i) => ({
    role: 'tool',
    tool_call_id: id,
    content: `result ${String(i)}`,
  }));
  const asked = {
    role: 'assistant',
    content: null,
    tool_calls: calls.map((call) => ({ ...call, index: undefined })),
  };
  const answer = await readStream(
    await gateway.send(url, { ...ask, messages: [question, asked, ...results] }),
  );
  const { usage } = answer.events.at(-2) as { usage: unknown };
  return { text: answer.text, usage };
}

const REPORT = weatherReport('result 0', 'result 1');

describe('docs/clients/continue.md', () => {
  interface Model {
    readonly provider: string;
    readonly model: string;
    readonly apiBase: string;
    readonly apiKey: string;
    readonly roles: readonly string[];
    readonly capabilities?: readonly string[];
    readonly useLegacyCompletionsEndpoint?: boolean;
    readonly maxStopWords?: number;
  }

  function modelFor(role: string): Model {
    const { models } = parseYaml(blockOf('continue', 'config.yaml')) as { models: Model[] };
    const found = models.find(({ roles }) => roles.includes(role));
    if (!found) throw new Error(`the page has no model for ${role}`);
    expect(found).toMatchObject({ provider: 'openai', apiKey: '${{ secrets.API_KEY }}' });
    return found;
  }

  it('chats and calls tools, in streams', async () => {
    const { model, apiBase, capabilities } = modelFor('chat');
    expect(capabilities).toEqual(['tool_use']);
    expect(await converse(`${apiBase}/chat/completions`, model)).toMatchObject({
      text: REPORT,
      usage: { total_tokens: expect.any(Number) },
    });
    expect(gateway.lastCall()).toMatchObject({ path: '/api/chat', body: { model } });
  });

  // As Continue has them for this family of models.
  const STOPS = [
    '<|endoftext|>',
    '<|fim_prefix|>',
    '<|fim_middle|>',
    '<|fim_suffix|>',
    '<|fim_pad|>',
    '<|im_end|>',
  ];

  it('completes at the cursor, with as many stops as the page says, and the prompt as it is', async () => {
    const { model, apiBase, maxStopWords, useLegacyCompletionsEndpoint } = modelFor('autocomplete');
    expect(useLegacyCompletionsEndpoint).toBe(true);
    const body = {
      model,
      prompt: '<|fim_prefix|>int answer() { <|fim_suffix|> }<|fim_middle|>',
      max_tokens: 4096,
      temperature: 0.01,
      stream: true,
    };
    const answer = await gateway.send(`${apiBase}/completions`, {
      ...body,
      stop: STOPS.slice(0, maxStopWords),
    });
    const { events, isDone } = await readStream(answer);
    const text = (events as { choices?: { text?: string }[] }[]).map(
      ({ choices }) => choices?.[0]?.text ?? '',
    );
    expect([text.join(''), isDone]).toEqual(['return 42;', true]);
    expect(gateway.lastCall()).toMatchObject({
      path: '/api/generate',
      body: { prompt: body.prompt, raw: true },
    });

    const refused = await gateway.send(`${apiBase}/completions`, { ...body, stop: STOPS });
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: { param: 'stop' } }]);
  });

  it('makes vectors', async () => {
    const { model, apiBase } = modelFor('embed');
    const answer = await gateway.send(
      `${apiBase}/embeddings`,
      { model, input: ['one', 'two'] },
      { 'api-key': KEY },
    );
    expect(await answer.json()).toMatchObject({
      data: [{ embedding: [0.6, 0.8] }, { embedding: [0.6, 0.8] }],
    });
  });
});

describe('docs/clients/open-webui.md', () => {
  function environment(): Record<string, string> {
    const { services } = parseYaml(blockOf('open-webui', 'compose.yaml')) as {
      services: Record<string, { environment: Record<string, string> }>;
    };
    return services['open-webui']?.environment ?? {};
  }

  it('lists the models', async () => {
    const { OPENAI_API_BASE_URL: url = '', OPENAI_API_KEY: key } = environment();
    expect(key).toBe('${API_KEY}');
    const answer = await fetch(gateway.here(`${url}/models`), {
      headers: { authorization: `Bearer ${KEY}` },
    });
    const { data } = (await answer.json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id).sort()).toEqual([...MODELS].sort());
  });

  it('chats and calls tools in streams, and asks for a title in one piece', async () => {
    const url = `${environment().OPENAI_API_BASE_URL ?? ''}/chat/completions`;
    expect(await converse(url, 'qwen3-coder')).toMatchObject({ text: REPORT });
    const messages = [{ role: 'user', content: 'Make a title. Say nothing of any city.' }];
    const title = await gateway.send(url, {
      model: 'qwen3-coder',
      messages,
      stream: false,
      max_completion_tokens: 1000,
    });
    expect([title.status, await title.json()]).toMatchObject([200, { object: 'chat.completion' }]);
  });

  it('makes vectors of documents', async () => {
    const env = environment();
    expect(env).toMatchObject({ RAG_EMBEDDING_ENGINE: 'openai', RAG_OPENAI_API_KEY: '${API_KEY}' });
    const answer = await gateway.send(`${env.RAG_OPENAI_API_BASE_URL ?? ''}/embeddings`, {
      model: env.RAG_EMBEDDING_MODEL,
      input: ['one'],
    });
    expect(await answer.json()).toMatchObject({ data: [{ embedding: [0.6, 0.8] }] });
  });
});

it('docs/clients/README.md leaves chats to the first of the two backends for one Ollama', async () => {
  const body = { model: 'qwen3-coder', messages: [{ role: 'user', content: 'hi' }] };
  const before = gateway.calls.length;
  for (let i = 0; i < 20; i++)
    await (await gateway.send('http://localhost:3000/v1/chat/completions', body)).text();
  const paths = gateway.calls.slice(before).map(({ path }) => path);
  expect(paths).toEqual(Array.from({ length: 20 }, () => '/api/chat'));
});
