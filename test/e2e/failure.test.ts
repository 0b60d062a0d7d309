/** A backend fails: before the first token another one answers, after it the stream says so. */

import { describe, expect, it } from '@jest/globals';
import {
  failing,
  ollamaDone,
  ollamaToken,
  openaiChunk,
  saying,
  sse,
  type Script,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import type { TestGateway } from '../support/gateway.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { openStream, parseStream, readStream } from '../support/sse.ts';

const setup = createSetup();

async function errorOf(
  response: Response,
): Promise<{ status: number; code: string | null; message: string }> {
  const body = (await response.json()) as { error: { message: string; code: string | null } };
  expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type']);
  return { status: response.status, code: body.error.code, message: body.error.message };
}

describe.each(KINDS_OF_STREAM)('a %s that fails', (_, variable) => {
  const isOllama = variable === 'OLLAMA_BASE_URL';
  const name = isOllama ? 'ollama' : 'vllm';
  const token = (text: string): string => (isOllama ? ollamaToken(text) : openaiChunk({ content: text }));
  const spokenError = isOllama
    ? `${JSON.stringify({ error: 'the GPU fell off the bus' })}\n`
    : sse({ error: { message: 'the GPU fell off the bus', type: 'InternalServerError', code: 500 } });

  /** What may happen before the first token, with the status and code of a gateway with one backend. */
  const EARLY: readonly (readonly [string, Script, number, string])[] = [
    ['resets the connection', ({ reset }) => reset(), 502, 'upstream_connection_error'],
    ['closes without a byte', ({ socket }) => void socket.end(), 502, 'upstream_connection_error'],
    ['closes after its headers', ({ end }) => end(), 502, 'upstream_incomplete_response'],
    [
      'resets after its headers',
      async ({ res, reset }) => {
        res.flushHeaders();
        await new Promise(setImmediate);
        reset();
      },
      502,
      'upstream_connection_error',
    ],
    ['says an error first', ({ end }) => end(spokenError), 502, 'upstream_error'],
    [
      'sends what nobody can read',
      ({ end }) => end('<html>502</html>\n\n'),
      502,
      isOllama ? 'upstream_invalid_response' : 'upstream_incomplete_response',
    ],
    ['answers 500', failing(500, { error: 'out of memory' }), 502, 'upstream_error'],
    ['answers 503', failing(503, { error: 'server busy' }), 503, 'server_overloaded'],
    [
      'answers 429',
      failing(429, { error: { message: 'slow down' } }, { 'retry-after': '7' }),
      429,
      'rate_limit_exceeded',
    ],
    ['answers 401', failing(401, { error: 'unauthorized' }), 502, 'upstream_unauthorized'],
    [
      'redirects',
      failing(302, '', { location: 'http://169.254.169.254/' }),
      502,
      'upstream_invalid_response',
    ],
  ];

  it.each(EARLY)('when it %s is told with the right status and code', async (_name, script, status, code) => {
    const backend = await setup.backend(script);
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const error = await errorOf(await gateway.chat({ stream: true }));
    expect(error).toMatchObject({ status, code });
    expect(error.message).not.toMatch(/127\.0\.0\.1|node_modules/);
    expect((await errorOf(await gateway.chat())).status).toBe(status);
    expect(await gateway.metric('ai_gateway_backend_in_flight', { backend: name })).toBe(0);
  });

  it.each(EARLY)('when it %s costs no request while another backend is well', async (_name, script) => {
    const bad = await setup.backend(script);
    const good = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ env: { [variable]: `${bad.url},${good.url}` } });
    for (let i = 0; i < 6; i++) {
      expect(await readStream(await gateway.chat({ stream: true }))).toMatchObject({
        text: 'fine',
        isDone: true,
      });
      expect((await gateway.chat()).status).toBe(200);
    }
    expect(good.calls.length).toBeGreaterThanOrEqual(12);
  });

  it('when it refuses connections costs no request either, and is left alone until it is well', async () => {
    const bad = await setup.backend(saying('x'));
    const good = await setup.backend(saying('fine'));
    // Its weight has it asked first, also when a connection from before its end broke once already.
    const gateway = await setup.gateway({
      file: `
backends:
  - { name: bad, kind: ${name}, url: "${bad.url}", weight: 100 }
  - { name: good, kind: ${name}, url: "${good.url}" }`,
    });
    await bad.close();
    for (let i = 0; i < 10; i++) expect((await gateway.chat()).status).toBe(200);
    expect(await gateway.metric('ai_gateway_circuit_state', { backend: 'bad' })).toBe(2);
  });

  /** What may happen when the client has seen the first token. */
  const LATE: readonly (readonly [string, Script, string])[] = [
    ['breaks', ({ reset }) => reset(), 'upstream_connection_error'],
    ['ends without an end', ({ end }) => end(), 'upstream_incomplete_response'],
    ['says an error', ({ end }) => end(spokenError), 'upstream_error'],
    [
      'ends in the middle of a record',
      ({ end }) => end(token('never').slice(0, 40)),
      isOllama ? 'upstream_invalid_response' : 'upstream_incomplete_response',
    ],
    [
      'sends what nobody can read',
      ({ end }) => end(isOllama ? '{"mess<html>\n' : 'data: {"mess<html>\n\n'),
      'upstream_invalid_response',
    ],
  ];

  it.each(LATE)(
    'in mid-stream when it %s ends the stream with one error and no [DONE]',
    async (_name, fail, code) => {
      let call: ScriptedCall | undefined;
      const backend = await setup.backend(async (given) => {
        call = given;
        await given.write(token('part'));
      });
      const other = await setup.backend(saying('must not be asked'));
      const gateway = await setup.gateway({ file: twoBackends(name, backend.url, other.url) });
      const open = openStream(await gateway.chat({ stream: true }));
      await open.until('part');
      if (call) await fail(call);
      const stream = parseStream(await open.rest());
      expect(stream).toMatchObject({ text: 'part', isDone: false, error: { code } });
      const errors = stream.events.filter((event) => 'error' in (event as object));
      expect(errors).toEqual([stream.events.at(-1)]);
      expect(JSON.stringify(stream.events)).not.toContain('"finish_reason":"');
      expect(other.calls).toHaveLength(0);
      expect(await gateway.metric('ai_gateway_streams_total', { status: 'upstream_error' })).toBe(1);
    },
  );

  it('after its finish reason has cost nothing', async () => {
    let call: ScriptedCall | undefined;
    const backend = await setup.backend(async (given) => {
      call = given;
      await given.write(token('all') + (isOllama ? ollamaDone() : openaiChunk({}, 'stop')));
    });
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const open = openStream(await gateway.chat({ stream: true }));
    await open.until('"finish_reason":"stop"');
    call?.reset();
    expect(parseStream(await open.rest())).toMatchObject({ text: 'all', isDone: true, error: undefined });
  });
});

it('an answer in one piece is fetched anew when its backend dies in the middle', async () => {
  const bad = await setup.backend(async ({ write, reset }) => {
    await write(ollamaToken('part'));
    reset();
  });
  const good = await setup.backend(saying('fine'));
  const gateway = await setup.gateway({ file: twoBackends('ollama', bad.url, good.url) });
  const answer = (await (await gateway.chat()).json()) as { choices: { message: { content: string } }[] };
  expect(answer.choices[0]?.message.content).toBe('fine');
  expect(bad.calls).toHaveLength(1);
});

/** The first one is preferred as long as it is well. */
function twoBackends(kind: string, first: string, second: string): string {
  return `
backends:
  - { name: first, kind: ${kind}, url: "${first}", weight: 1000 }
  - { name: second, kind: ${kind}, url: "${second}", weight: 0.001 }`;
}

describe('when no backend is left', () => {
  it('the answer is a 503 with Retry-After', async () => {
    const gone = await setup.backend(saying('x'));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: gone.url } });
    await gone.close();
    const response = await gateway.chat({ stream: true });
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await errorOf(response)).toMatchObject({ status: 503, code: 'no_backend_available' });
  });

  it('three backends are tried and not more', async () => {
    const backends = await Promise.all(
      Array.from({ length: 5 }, () => setup.backend(failing(500, { error: 'no' }))),
    );
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backends.map(({ url }) => url).join(',') },
    });
    expect((await gateway.chat()).status).toBe(502);
    expect(backends.map(({ calls }) => calls.length).reduce((a, b) => a + b)).toBe(3);
  });

  it('a backend at its limit is not given more', async () => {
    const backend = await setup.backend(() => undefined);
    const gateway = await setup.gateway({
      file: `backends: [{ name: b, kind: ollama, url: "${backend.url}", maxConcurrency: 1, queue: 0 }]`,
    });
    const abort = new AbortController();
    const first = gateway.chat({ stream: true }, { signal: abort.signal }).catch(() => undefined);
    while (backend.calls.length === 0) await new Promise(setImmediate);
    const second = await gateway.chat({ stream: true });
    expect(second.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await errorOf(second)).toMatchObject({ status: 503, code: 'server_overloaded' });
    abort.abort();
    await first;
  });
});

describe('an error that is the request’s own fault', () => {
  it.each([
    [400, { error: 'registry.ollama.ai/library/m does not support tools' }, 400, 'unsupported_parameter'],
    [
      400,
      {
        error:
          '{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (4096 tokens)","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}',
      },
      400,
      'context_length_exceeded',
    ],
  ])('is not tried elsewhere (%d)', async (upstream, body, status, code) => {
    const backends = await Promise.all([0, 1].map(() => setup.backend(failing(upstream, body))));
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backends.map(({ url }) => url).join(',') },
    });
    expect(await errorOf(await gateway.chat())).toMatchObject({ status, code });
    expect(backends.map(({ calls }) => calls.length).reduce((a, b) => a + b)).toBe(1);
  });

  it('a model that one backend does not have is looked for on the next', async () => {
    const without = await setup.backend(failing(404, { error: "model 'new' not found" }));
    const having = await setup.backend(saying('here'));
    const gateway: TestGateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: `${without.url},${having.url}` },
    });
    for (let i = 0; i < 5; i++) expect((await gateway.chat({ model: 'new' })).status).toBe(200);
  });
});
