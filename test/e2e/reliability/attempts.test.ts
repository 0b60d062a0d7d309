/** How often a request is sent, and to whom: bounded for each request and for all together. */

import { describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { failing, saying, type ScriptedBackend, type Script } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { preferring, SPEECHES, OLLAMA } from '../../support/speech.ts';

const setup = createSetup();
const broken = failing(500, { error: 'out of memory' });

function fleet(size: number, script: Script): Promise<ScriptedBackend[]> {
  return Promise.all(Array.from({ length: size }, () => setup.backend(script)));
}

const urlsOf = (backends: readonly ScriptedBackend[]): string => backends.map(({ url }) => url).join(',');
const callsOf = (backends: readonly ScriptedBackend[]): number =>
  backends.reduce((sum, { calls }) => sum + calls.length, 0);

describe('the attempts of one request', () => {
  it('are three and not more', async () => {
    const backends = await fleet(5, broken);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: urlsOf(backends) } });
    expect(await expectError(await gateway.chat())).toMatchObject({ status: 502, code: 'upstream_error' });
    expect(callsOf(backends)).toBe(3);
    expect(await gateway.metric('ai_gateway_retries_total', { result: 'made' })).toBe(2);
  });

  it('are as many as is set', async () => {
    const backends = await fleet(3, broken);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: urlsOf(backends), MAX_ATTEMPTS: '1' } });
    expect((await gateway.chat()).status).toBe(502);
    expect(callsOf(backends)).toBe(1);
  });

  it.each([
    [400, { error: 'registry.ollama.ai/library/m does not support tools' }, 'unsupported_parameter'],
    [400, { error: 'invalid option' }, null],
    [413, { error: 'request body too large' }, null],
    [422, { error: 'unprocessable' }, null],
    [
      400,
      {
        error:
          '{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (4096 tokens)","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}',
      },
      'context_length_exceeded',
    ],
  ])('are one when the request itself is at fault (%d)', async (status, body, code) => {
    const backends = await fleet(2, failing(status, body));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: urlsOf(backends) } });
    expect(await expectError(await gateway.chat())).toMatchObject({ status: 400, code });
    expect(callsOf(backends)).toBe(1);
  });

  it('go to the one that has a model which the others do not have', async () => {
    const without = await setup.backend(failing(404, { error: "model 'new' not found" }));
    const having = await setup.backend(saying('here'));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: urlsOf([without, having]) } });
    for (let i = 0; i < 5; i++) expect((await gateway.chat({ model: 'new' })).status).toBe(200);
  });

  it('are not counted as retries where there is nobody else to ask', async () => {
    const [backend] = await fleet(1, broken);
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend?.url ?? '', CIRCUIT_FAILURES: '100' },
    });
    for (let i = 0; i < 15; i++) expect((await gateway.chat()).status).toBe(502);
    for (const result of ['made', 'refused']) {
      expect(await gateway.metric('ai_gateway_retries_total', { result })).toBe(0);
    }
    const labels = { backend: 'ollama', reason: 'upstream_error' };
    expect(await gateway.metric('ai_gateway_failovers_total', labels)).toBe(0);
  });
});

describe('when all backends fail for a while', () => {
  /** Circuits that stay closed, so that nothing but the budget holds attempts back. */
  const env = { CIRCUIT_FAILURES: '100000', CIRCUIT_MIN_REQUESTS: '100000' };

  it('at most a fifth more attempts than requests are made', async () => {
    const backends = await fleet(3, broken);
    const gateway = await setup.gateway({
      env: { ...env, OLLAMA_BASE_URL: urlsOf(backends) },
      isClockStopped: true,
    });
    const REQUESTS = 200;
    for (let i = 0; i < REQUESTS; i++) expect((await gateway.chat()).status).toBe(502);
    expect(callsOf(backends)).toBeLessThanOrEqual(REQUESTS * 1.2);
    expect(await gateway.metric('ai_gateway_retries_total', { result: 'made' })).toBe(
      callsOf(backends) - REQUESTS,
    );
    expect(await gateway.metric('ai_gateway_retries_total', { result: 'refused' })).toBeGreaterThan(0);
  });

  it('the budget is a setting', async () => {
    const backends = await fleet(3, broken);
    const budget = { RETRY_BUDGET_RATIO: '0', RETRY_BUDGET_MIN_PER_SECOND: '4' };
    const gateway = await setup.gateway({
      env: { ...env, ...budget, OLLAMA_BASE_URL: urlsOf(backends) },
      isClockStopped: true,
    });
    for (let i = 0; i < 10; i++) await gateway.chat();
    expect(callsOf(backends)).toBe(14);
    gateway.advance(1000);
    for (let i = 0; i < 10; i++) await gateway.chat();
    expect(callsOf(backends)).toBe(28);
  });
});

describe.each(SPEECHES)('%s that asks to be left alone', (_, speech) => {
  const busy = failing(429, { error: { message: 'slow down' } }, { 'retry-after': '7' });

  it('is not asked before the time is over, and another one answers', async () => {
    const first = await setup.backend(busy);
    const second = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({
      file: preferring(speech, first.url, second.url),
      isClockStopped: true,
    });
    for (let i = 0; i < 5; i++) expect((await gateway.chat()).status).toBe(200);
    expect(first.calls).toHaveLength(1);
    gateway.advance(6999);
    expect((await gateway.chat()).status).toBe(200);
    expect(first.calls).toHaveLength(1);
    first.script(saying('back'));
    gateway.advance(1);
    expect((await gateway.chat()).status).toBe(200);
    expect(first.calls).toHaveLength(2);
    expect(await gateway.metric('ai_gateway_circuit_state', { backend: 'first' })).toBe(0);
  });

  it('is not asked although there is no other: the client hears for how long', async () => {
    const backend = await setup.backend(busy);
    const gateway = await setup.gateway({ env: { [speech.variable]: backend.url }, isClockStopped: true });
    await gateway.chat();
    gateway.advance(2500);
    const response = await gateway.chat();
    expect(response.headers.get('retry-after')).toBe('5');
    expect(await expectError(response)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect(backend.calls).toHaveLength(1);
  });
});

it('a backend that asks to be left alone for a day is asked again after the longest time that is set', async () => {
  const backend = await setup.backend(failing(503, { error: 'busy' }, { 'retry-after': '86400' }));
  const gateway = await setup.gateway({
    env: { [OLLAMA.variable]: backend.url, MAX_COOLDOWN_MS: '30000' },
    isClockStopped: true,
  });
  await gateway.chat();
  gateway.advance(29_999);
  expect((await gateway.chat()).headers.get('retry-after')).toBe('1');
  expect(backend.calls).toHaveLength(1);
  gateway.advance(1);
  await gateway.chat();
  expect(backend.calls).toHaveLength(2);
});
