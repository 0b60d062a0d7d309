/** Nothing that a client sends is dropped in silence: every parameter of the schema, one by one. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { ollamaDone, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { find, membersOf } from './document.ts';
import { request, tool } from './requests.ts';
import { component } from './schemas.ts';

const setup = createSetup();

/** A value for each parameter of a chat that must make a difference somewhere. */
const VALUES: Readonly<Record<string, unknown>> = {
  model: 'm:latest',
  messages: [{ role: 'user', content: 'another' }],
  stream: true,
  stream_options: { include_usage: true },
  max_tokens: 7,
  max_completion_tokens: 7,
  temperature: 0.7,
  top_p: 0.7,
  frequency_penalty: 0.7,
  presence_penalty: 0.7,
  seed: 7,
  stop: 'STOP',
  n: 2,
  logprobs: true,
  top_logprobs: 3,
  logit_bias: { 1: 1 },
  response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' } } },
  tools: [tool('f')],
  tool_choice: 'required',
  parallel_tool_calls: false,
  reasoning_effort: 'low',
  functions: [{ name: 'f' }],
  function_call: { name: 'f' },
  modalities: ['audio'],
  audio: { voice: 'alloy', format: 'wav' },
  web_search_options: {},
  moderation: {},
  verbosity: 'low',
  prediction: { type: 'content', content: 'x' },
  metadata: { a: 'b' },
  store: true,
  service_tier: 'flex',
  user: 'u',
  safety_identifier: 's',
  prompt_cache_key: 'k',
  prompt_cache_retention: '24h',
};

/** What must be there for the parameter to be allowed at all. */
const COMPANIONS: Readonly<Record<string, JsonObject>> = {
  stream_options: { stream: true },
  top_logprobs: { logprobs: true },
  tool_choice: { tools: [tool('f'), tool('g')] },
  parallel_tool_calls: { tools: [tool('f')] },
  function_call: { functions: [{ name: 'f' }, { name: 'g' }] },
};

/** One API with a value for each of its parameters. */
interface Endpoint {
  readonly path: string;
  readonly schema: string;
  readonly plain: JsonObject;
  readonly values: Readonly<Record<string, unknown>>;
  readonly companions: Readonly<Record<string, JsonObject>>;
}

const CHAT: Endpoint = {
  path: '/v1/chat/completions',
  schema: 'ChatCompletionRequest',
  plain: request(),
  values: VALUES,
  companions: COMPANIONS,
};

const ENDPOINTS: readonly Endpoint[] = [
  CHAT,
  {
    path: '/v1/completions',
    schema: 'CompletionRequest',
    plain: { model: 'm', prompt: 'hi' },
    values: {
      model: 'm:latest',
      prompt: 'another',
      stream: true,
      stream_options: { include_usage: true },
      suffix: 'x',
      echo: true,
      n: 2,
      best_of: 2,
      logprobs: 1,
      max_tokens: 7,
      temperature: 0.7,
      top_p: 0.7,
      frequency_penalty: 0.7,
      presence_penalty: 0.7,
      seed: 7,
      stop: 'STOP',
      logit_bias: { 1: 1 },
      user: 'u',
    },
    companions: { stream_options: { stream: true } },
  },
  {
    path: '/v1/embeddings',
    schema: 'EmbeddingRequest',
    plain: { model: 'm', input: 'hi' },
    values: { model: 'm:latest', input: 'another', encoding_format: 'base64', dimensions: 2, user: 'u' },
    companions: {},
  },
];

/** Told twice by the model, so that keeping the first call only can be seen. */
const TWO_CALLS = ollamaDone({
  message: {
    role: 'assistant',
    content: 'x',
    tool_calls: [1, 2].map(() => ({ function: { name: 'f', arguments: {} } })),
  },
});

interface Outcome {
  readonly status: number;
  readonly ignored: string | null;
  /** What the backend was asked, and the client told; without what differs from call to call. */
  readonly asked: string;
  readonly told: string;
}

/** Ollama's answer to whatever was asked. */
function answerOf({ path, body }: ScriptedCall): string {
  if (path === '/api/embed') return JSON.stringify({ embeddings: [[0.5, 1]], prompt_eval_count: 1 });
  if (path === '/api/generate')
    return `${JSON.stringify({ response: 'x', done: true, done_reason: 'stop' })}\n`;
  // A model that was made to print a call prints one.
  const isForced = 'format' in body && body.tools === undefined;
  return isForced
    ? ollamaDone({ message: { role: 'assistant', content: '{"name":"f","arguments":{}}' } })
    : TWO_CALLS;
}

describe('on Ollama', () => {
  async function ask(
    body: JsonObject,
    headers: Readonly<Record<string, string>> = {},
    path = CHAT.path,
  ): Promise<Outcome> {
    const calls: ScriptedCall[] = [];
    const capabilities = ['completion', 'embedding', 'insert', 'tools', 'vision', 'thinking'];
    const backend = await setup.backend(
      (call) => {
        calls.push(call);
        call.end(answerOf(call));
      },
      { capabilities },
    );
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const told = (await response.text()).replace(/"(id|created)":("[^"]*"|\d+)/g, '');
    return {
      status: response.status,
      ignored: response.headers.get('x-gateway-ignored-params'),
      asked: calls.map(({ bodyText }) => bodyText).join('\n'),
      told,
    };
  }

  describe.each(ENDPOINTS)('$path', ({ path, schema, plain, values, companions }) => {
    it.each(membersOf(find(['properties'], component(schema))))(
      '%s is mapped, emulated, refused or named',
      async (name) => {
        expect(values).toHaveProperty(name);
        const without = { ...plain, ...companions[name] };
        const before = await ask(without, {}, path);
        expect(before.status).toBe(200);
        const { status, ignored, asked, told } = await ask({ ...without, [name]: values[name] }, {}, path);
        const isNamed = (ignored ?? '').split(', ').includes(name);
        const hasEffect = asked !== before.asked || told !== before.told;
        if (status === 400)
          expect(JSON.parse(told)).toMatchObject({ error: { param: expect.stringContaining(name) } });
        else expect({ name, isNamed: !hasEffect, status }).toEqual({ name, isNamed, status: 200 });
      },
    );
  });

  it.each([
    ['an unknown one', { flux: 1 }, 'flux'],
    ['a load-time option', { num_ctx: 4096 }, 'num_ctx'],
    ['a load-time option inside options', { options: { num_ctx: 4096, top_k: 3 } }, 'options.num_ctx'],
    ['max_tokens beside max_completion_tokens', { max_tokens: 1, max_completion_tokens: 2 }, 'max_tokens'],
    ['several', { store: true, user: 'u' }, 'store, user'],
    ['a name that is no header value', { 'a\r\nb': 1, user: 'u' }, 'user'],
  ])('%s is named', async (_, members, names) => {
    expect(await ask(request(members))).toMatchObject({ status: 200, ignored: names });
  });

  it('a strict request is refused instead', async () => {
    const outcome = await ask(request({ user: 'u' }), { 'x-gateway-strict': 'true' });
    expect(outcome).toMatchObject({ status: 400, ignored: null });
    expect(JSON.parse(outcome.told)).toMatchObject({
      error: { param: 'user', code: 'unsupported_parameter' },
    });
  });

  it('sampling options of its own are passed on, with checked types', async () => {
    const { asked, ignored } = await ask(
      request({ top_k: 5, repetition_penalty: 1.1, options: { min_p: 0.1 } }),
    );
    expect(JSON.parse(asked)).toMatchObject({ options: { top_k: 5, repeat_penalty: 1.1, min_p: 0.1 } });
    expect(ignored).toBeNull();
    expect(await ask(request({ top_k: 'five' }))).toMatchObject({ status: 400, asked: '' });
  });
});

it('a load-time option that the operator allowed for the model is taken', async () => {
  const backend = await setup.backend((call) => {
    call.end(ollamaDone());
  });
  const gateway = await setup.gateway({
    file: `
backends: [{ name: b, kind: ollama, url: "${backend.url}" }]
models: { m: { requestOptions: [num_ctx], options: { num_gpu: 1 } } }`,
  });
  expect((await gateway.chat(request({ num_ctx: 4096, num_gpu: 99 }))).status).toBe(200);
  expect(backend.calls[0]?.body.options).toEqual({ num_ctx: 4096, num_gpu: 1 });
});

it('a backend of the same format gets everything, and nothing is named', async () => {
  const backend = await setup.backend((call) => {
    const message = { role: 'assistant', content: 'x' };
    const answer = {
      id: 'i',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
    };
    call.res.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
  const elsewhere = new Set(['stream', 'stream_options', 'functions', 'function_call']);
  const body = Object.fromEntries(Object.entries(VALUES).filter(([name]) => !elsewhere.has(name)));
  const response = await gateway.chat({ ...body, model: 'm', unknown: 1 });
  expect(response.status).toBe(200);
  expect(response.headers.has('x-gateway-ignored-params')).toBe(false);
  expect(backend.calls[0]?.body).toEqual({ ...body, model: 'm', unknown: 1 });
});
