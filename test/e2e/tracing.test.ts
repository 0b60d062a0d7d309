/** Requests and attempts as the spans that a receiver gets. */

import { describe, expect, it } from '@jest/globals';
import type { ReceivedSpan } from '../support/otlp-receiver.ts';
import {
  failing,
  ollamaDone,
  ollamaToken,
  saying,
  type Script,
  type ScriptedBackend,
} from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream } from '../support/sse.ts';
import { createTracedSetup, type Traced } from '../support/traced.ts';

const setup = createSetup();
const startTraced = createTracedSetup(setup);

/** Two of Ollama, of which the first that is asked does one thing and the other one another. */
async function startPair(first: Script, second: Script, env: Record<string, string> = {}): Promise<Traced> {
  let asked = 0;
  const script: Script = (call) => (asked++ === 0 ? first(call) : second(call));
  const pair = [await setup.backend(script), await setup.backend(script)];
  return startTraced({ env: { OLLAMA_BASE_URL: pair.map(({ url }) => url).join(','), ...env } });
}

const post = (traced: Traced, path: string, body: object): Promise<Response> =>
  fetch(traced.gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', ...body }),
  });

const namesOf = (spans: readonly ReceivedSpan[]): string[] => spans.map(({ name }) => name);

describe('an answer', () => {
  it('is a server span, and below it the span of the call that gave it', async () => {
    const backend = await setup.backend(saying('Hel', 'lo'));
    const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
    const response = await traced.gateway.chat({
      messages: [{ role: 'user', content: 'hi in JSON' }],
      stream: true,
      max_completion_tokens: 10,
      temperature: 0.5,
      top_p: 0.75,
      seed: 7,
      response_format: { type: 'json_object' },
    });
    expect(await response.text()).toContain('[DONE]');
    const [server, client] = await traced.spans(2);
    expect(server).toMatchObject({
      name: 'POST /v1/chat/completions',
      kind: 'server',
      parentSpanId: '',
      isError: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/chat/completions',
        'http.response.status_code': 200,
        'url.path': '/v1/chat/completions',
        'url.scheme': 'http',
        'gateway.request.id': response.headers.get('x-request-id'),
        'gateway.client': 'anonymous',
        'gateway.model': 'm',
        'gateway.backend': 'ollama',
        'gateway.attempts': 1,
        'gateway.outcome': 'completed',
      },
    });
    expect(client).toEqual({
      ...client,
      name: 'chat m',
      kind: 'client',
      traceId: server?.traceId,
      parentSpanId: server?.spanId,
      isError: false,
      events: [{ name: 'gateway.first_token', attributes: {} }],
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'ollama',
        'gen_ai.request.model': 'm',
        'gen_ai.request.stream': true,
        'gen_ai.request.max_tokens': 10,
        'gen_ai.request.temperature': 0.5,
        'gen_ai.request.top_p': 0.75,
        'gen_ai.request.seed': 7,
        'gen_ai.output.type': 'json',
        'gen_ai.response.model': 'm',
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.response.time_to_first_chunk': expect.any(Number),
        'gen_ai.usage.input_tokens': 5,
        'gen_ai.usage.output_tokens': 2,
        'gateway.backend': 'ollama',
        'server.address': '127.0.0.1',
        'server.port': backend.port,
      },
    });
    expect(server?.resource).toMatchObject({ 'service.name': 'node-ai-gateway' });
  });

  it('in one piece says which model gave it, and no time to its first token', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url } });
    await (await traced.gateway.chat()).text();
    const [, client] = await traced.spans(2);
    expect(client).toMatchObject({ name: 'chat m', events: [] });
    expect(client?.attributes).toMatchObject({
      'gen_ai.provider.name': 'vllm',
      'gen_ai.response.model': 'upstream-model',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.output_tokens': 1,
    });
    expect(client?.attributes).not.toHaveProperty(['gen_ai.request.stream']);
    expect(client?.attributes).not.toHaveProperty(['gen_ai.response.time_to_first_chunk']);
  });

  it('that is streamed in the format of the client says which model gave it', async () => {
    const backend = await setup.backend(saying('Hel', 'lo'));
    const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url } });
    await (await traced.gateway.chat({ stream: true })).text();
    const [, client] = await traced.spans(2);
    expect(client?.attributes).toMatchObject({
      'gen_ai.response.model': 'upstream-model',
      'gen_ai.response.finish_reasons': ['stop'],
    });
    expect(client?.events).toHaveLength(1);
  });

  it('of text completion and of embeddings is called so', async () => {
    const vectors = { model: 'nomic', embeddings: [[0.5]], prompt_eval_count: 2 };
    const script: Script = ({ path, end }) =>
      end(
        path === '/api/embed'
          ? JSON.stringify(vectors)
          : `${JSON.stringify({ model: 'llama', response: 'x', done: true, done_reason: 'length', prompt_eval_count: 1, eval_count: 1 })}\n`,
      );
    const backend = await setup.backend(script, { capabilities: ['completion', 'embedding'] });
    const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
    expect((await post(traced, '/v1/completions', { prompt: 'a' })).status).toBe(200);
    expect((await post(traced, '/v1/embeddings', { input: 'a', dimensions: 1 })).status).toBe(200);
    const spans = await traced.spans(4);
    expect(namesOf(spans)).toEqual([
      'POST /v1/completions',
      'text_completion m',
      'POST /v1/embeddings',
      'embeddings m',
    ]);
    expect(spans[1]?.attributes).toMatchObject({
      'gen_ai.operation.name': 'text_completion',
      'gen_ai.response.model': 'llama',
      'gen_ai.response.finish_reasons': ['length'],
    });
    expect(spans[3]?.attributes).toMatchObject({
      'gen_ai.operation.name': 'embeddings',
      'gen_ai.response.model': 'nomic',
      'gen_ai.embeddings.dimension.count': 1,
      'gen_ai.usage.input_tokens': 2,
    });
  });

  it('that took several calls has a span for each', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
    await (await traced.gateway.chat({ n: 3 })).text();
    const [server, ...clients] = await traced.spans(4);
    expect(clients.map(({ parentSpanId }) => parentSpanId)).toEqual(Array(3).fill(server?.spanId));
  });
});

describe('a failure', () => {
  it('of one backend has a span, and so has the answer of the next, under one server span', async () => {
    const traced = await startPair(failing(500, { error: 'boom' }), saying('Hello'));
    expect(await (await traced.gateway.chat({ stream: true })).text()).toContain('[DONE]');
    const [server, failed, well] = await traced.spans(3);
    expect([failed?.parentSpanId, well?.parentSpanId]).toEqual([server?.spanId, server?.spanId]);
    expect(failed).toMatchObject({
      name: 'chat m',
      isError: true,
      attributes: { 'error.type': 'upstream_error' },
      events: [],
    });
    expect(well).toMatchObject({
      isError: false,
      attributes: { 'gen_ai.response.finish_reasons': ['stop'] },
    });
    expect(well?.attributes['gateway.backend']).not.toBe(failed?.attributes['gateway.backend']);
    expect(server).toMatchObject({
      isError: false,
      attributes: { 'gateway.attempts': 2, 'gateway.outcome': 'completed' },
      events: [
        {
          name: 'gateway.failover',
          attributes: {
            'gateway.backend': failed?.attributes['gateway.backend'],
            'error.type': 'upstream_error',
          },
        },
      ],
    });
  });

  const breaking: Script = async (call) => {
    await call.write(ollamaToken('Hel'));
    call.reset();
  };

  it('in the middle that another backend makes up for is a rescue, with a first token of each', async () => {
    const traced = await startPair(breaking, saying('lo'), { STREAM_RESCUE: 'true' });
    expect(await (await traced.gateway.chat({ stream: true })).text()).toContain('[DONE]');
    const [server, ...clients] = await traced.spans(3);
    expect(server?.events).toMatchObject([{ name: 'gateway.rescue' }]);
    expect(server?.attributes['gateway.rescues']).toBe(1);
    expect(clients.map(({ events }) => events.length)).toEqual([1, 1]);
  });

  it('of the model that the same backend makes up for is a retry', async () => {
    const slip = failing(500, { error: `error parsing tool call: raw='{' err=x` });
    const scripts = [slip, saying('Hello')];
    const backend = await setup.backend((call) => scripts.shift()?.(call));
    const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
    await (await traced.gateway.chat()).text();
    const [server] = await traced.spans(3);
    expect(server?.events).toMatchObject([
      { name: 'gateway.retry', attributes: { 'error.type': 'tool_call_parse_error' } },
    ]);
  });

  it('that may not be tried again says so', async () => {
    const budget = { RETRY_BUDGET_RATIO: '0', RETRY_BUDGET_MIN_PER_SECOND: '0' };
    const traced = await startPair(failing(500, { error: 'boom' }), saying('Hello'), budget);
    expect((await traced.gateway.chat()).status).toBe(502);
    const [server] = await traced.spans(2);
    expect(server).toMatchObject({ isError: true, events: [{ name: 'gateway.retry_refused' }] });
    expect(server?.attributes).toMatchObject({
      'http.response.status_code': 502,
      'error.type': 'upstream_error',
    });
  });

  it('after the status was sent is one all the same', async () => {
    const backend = await setup.backend(breaking);
    const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
    await (await traced.gateway.chat({ stream: true })).text();
    const [server, client] = await traced.spans(2);
    expect(server).toMatchObject({
      isError: true,
      attributes: {
        'http.response.status_code': 200,
        'error.type': 'upstream_connection_error',
        'gateway.outcome': 'upstream_error',
      },
    });
    expect(client).toMatchObject({ isError: true, events: [{ name: 'gateway.first_token' }] });
  });

  it('that is the request is no error of the server', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
    expect((await traced.gateway.chat({ temperature: 'hot' })).status).toBe(400);
    expect((await fetch(`${traced.gateway.url}/v1/chat/completions?key=sk-12345678`)).status).toBe(405);
    const spans = await traced.spans(2);
    expect(spans.map(({ isError, attributes }) => [isError, attributes['error.type']])).toEqual([
      [false, 'invalid_request'],
      [false, 'method_not_supported'],
    ]);
    expect(spans[1]?.attributes['url.path']).toBe('/v1/chat/completions');
  });
});

it('a client that leaves is marked, and no error', async () => {
  const backend = await setup.backend(async (call) => {
    await call.write(ollamaToken('Hel'));
  });
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
  const abort = new AbortController();
  const stream = openStream(await traced.gateway.chat({ stream: true }, { signal: abort.signal }));
  await stream.until('Hel');
  abort.abort();
  const [server, client] = await traced.spans(2);
  for (const span of [server, client]) {
    expect(span).toMatchObject({ isError: false, attributes: { 'error.type': 'client_closed' } });
  }
  expect(server?.attributes['gateway.outcome']).toBe('client_aborted');
});

it('a client that leaves while its raw request waits in line is marked too', async () => {
  const backend = await setup.backend(() => undefined);
  const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url, BACKEND_CONCURRENCY: '1' } });
  const abort = new AbortController();
  const leaving = ['a', 'b'].map(async (input) => {
    const body = JSON.stringify({ model: 'm', input });
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body, signal: abort.signal };
    await expect(fetch(`${traced.gateway.url}/v1/rerank`, init)).rejects.toThrow(/abort/);
  });
  await eventually(
    async () => (await traced.gateway.metric('ai_gateway_queue_depth', { backend: 'vllm' })) === 1,
  );
  abort.abort();
  await Promise.all(leaving);
  const servers = (await traced.spans(3)).filter(({ kind }) => kind === 'server');
  expect(servers.map(({ isError, attributes }) => [isError, attributes['error.type']])).toEqual([
    [false, 'client_closed'],
    [false, 'client_closed'],
  ]);
});

it('nothing but the API is traced', async () => {
  const backend = await setup.backend(saying('Hello'));
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
  for (const path of ['/health', '/readyz', '/metrics', '/v1/models']) await fetch(traced.gateway.url + path);
  expect(namesOf(await traced.spans(1))).toEqual(['GET /v1/models']);
});

it('what is passed on raw is a call by HTTP', async () => {
  const backend = await setup.backend(({ end }) => end('{}'));
  const traced = await startTraced({ env: { VLLM_BASE_URL: backend.url } });
  await (await post(traced, '/v1/rerank?key=sk-12345678', {})).text();
  const [server, client] = await traced.spans(2);
  expect(server).toMatchObject({ name: 'POST /v1/*path', attributes: { 'gateway.backend': 'vllm' } });
  expect(client).toMatchObject({
    name: 'POST',
    kind: 'client',
    parentSpanId: server?.spanId,
    isError: false,
    attributes: { 'url.full': `${backend.url}/v1/rerank`, 'server.port': backend.port },
  });
});

it('lines of the log name the trace they belong to', async () => {
  const backend = await setup.backend(saying('Hello'));
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
  await (await traced.gateway.chat()).text();
  const [server] = await traced.spans(2);
  const line = traced.gateway.logs.find(({ message }) => message === 'request');
  expect(line?.fields).toMatchObject({ trace_id: server?.traceId, span_id: server?.spanId });
});

describe('a receiver', () => {
  const SECRET = 'secret-of-the-receiver';

  async function exchange(traced: Traced): Promise<number> {
    const response = await traced.gateway.chat();
    await response.text();
    return response.status;
  }

  function warnings({ gateway }: Traced): unknown[] {
    return gateway.logs.filter(({ level }) => level === 'warn').map(({ fields }) => fields);
  }

  it('gets the headers, the name and the attributes that the operator wants', async () => {
    const backend: ScriptedBackend = await setup.backend(saying('Hello'));
    const traced = await startTraced({
      env: {
        OLLAMA_BASE_URL: backend.url,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${SECRET},x-team=a`,
        OTEL_SERVICE_NAME: 'mine',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
    });
    await exchange(traced);
    const [span] = await traced.spans(2);
    expect(traced.receiver.requests[0]).toMatchObject({
      path: '/v1/traces',
      headers: { authorization: `Bearer ${SECRET}`, 'x-team': 'a' },
    });
    expect(span?.resource).toMatchObject({ 'service.name': 'mine', 'deployment.environment.name': 'test' });
  });

  it('that refuses harms nothing, and is told of once', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({
      env: { OLLAMA_BASE_URL: backend.url, OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRET}` },
    });
    traced.receiver.answer(400);
    for (let i = 0; i < 2; i++) {
      expect(await exchange(traced)).toBe(200);
      await eventually(async () => {
        await traced.gateway.flushTraces();
        return traced.receiver.requests.length > i;
      });
    }
    expect(warnings(traced)).toMatchObject([{ status: 400 }]);
    expect(JSON.stringify(traced.gateway.logs)).not.toContain(SECRET);
  });

  it('that is gone harms nothing', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({
      env: { OLLAMA_BASE_URL: backend.url, OTEL_EXPORTER_OTLP_TIMEOUT: '50' },
    });
    await traced.receiver.close();
    expect(await exchange(traced)).toBe(200);
    await eventually(async () => {
      await traced.gateway.flushTraces();
      return warnings(traced).length > 0;
    });
    expect(await exchange(traced)).toBe(200);
  });

  it('gets a share of the traces only where that is wanted', async () => {
    const backend = await setup.backend(saying('Hello'));
    const traced = await startTraced({
      env: { OLLAMA_BASE_URL: backend.url, OTEL_TRACES_SAMPLER_ARG: '0' },
    });
    expect(await exchange(traced)).toBe(200);
    expect(backend.calls[0]?.headers.traceparent).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/);
    await traced.gateway.flushTraces();
    expect(traced.receiver.requests).toEqual([]);
  });
});

it('an answer of a model without reasons of its own ends its span too', async () => {
  const backend = await setup.backend(({ end }) => end(ollamaToken('x') + ollamaDone({ model: undefined })));
  const traced = await startTraced({ env: { OLLAMA_BASE_URL: backend.url } });
  await (await traced.gateway.chat({ stream: true })).text();
  const [, client] = await traced.spans(2);
  // It came with one read: its first token came with it.
  expect(client?.events).toMatchObject([{ name: 'gateway.first_token' }]);
  expect(client?.attributes).not.toHaveProperty(['gen_ai.response.model']);
});
