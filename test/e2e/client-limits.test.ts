/** Limits of clients, through the whole gateway: who is let in, what is taken, what is given back. */

import { describe, expect, it } from '@jest/globals';
import type { Limits } from '../../src/core/client.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { keyOf, type GatewayOptions, type HolderSettings, type TestGateway } from '../support/gateway.ts';
import {
  failing,
  ollamaDone,
  ollamaToken,
  saying,
  type Script,
  type ScriptedBackend,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream, readStream } from '../support/sse.ts';

const setup = createSetup();

interface Started {
  readonly gateway: TestGateway;
  readonly backend: ScriptedBackend;
  /** A chat with the key `ann`, unless another is given. */
  ask(body?: JsonObject, init?: RequestInit & { readonly key?: string }): Promise<Response>;
}

const limited = (limits: Partial<Limits>): HolderSettings => ({ limits });

async function start(
  clients: Readonly<Record<string, HolderSettings>> | undefined,
  script: Script = saying('one', 'two', 'three'),
  options: GatewayOptions = {},
  variable = 'OLLAMA_BASE_URL',
): Promise<Started> {
  const backend = await setup.backend(script);
  const gateway = await setup.gateway({
    ...(clients && { clients }),
    ...options,
    env: { [variable]: backend.url, ...options.env },
  });
  return {
    gateway,
    backend,
    ask: (body = {}, { key = keyOf('ann'), ...init } = {}) =>
      gateway.chat(body, {
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        ...init,
      }),
  };
}

const remaining = (response: Response, sort = 'requests'): number =>
  Number(response.headers.get(`x-ratelimit-remaining-${sort}`) ?? NaN);

async function errorOf(response: Response): Promise<JsonObject> {
  return ((await response.json()) as { error: JsonObject }).error;
}

/** A backend whose calls end when the test says so. */
function holding(): { readonly script: Script; readonly calls: ScriptedCall[] } {
  const calls: ScriptedCall[] = [];
  return { calls, script: (call) => void calls.push(call) };
}

const answer = (call: ScriptedCall | undefined): void => call?.end(ollamaToken('x') + ollamaDone());

describe('of 200 requests at once', () => {
  it('exactly 100 are let in when 100 a minute are allowed, and all are told how they stand', async () => {
    const { ask, backend, gateway } = await start({ ann: limited({ requestsPerMinute: 100 }) });
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask()));
    const [served, refused] = [200, 429].map((status) => answers.filter((each) => each.status === status));
    expect([served?.length, refused?.length, backend.calls.length]).toEqual([100, 100, 100]);
    for (const { headers } of answers) {
      expect(headers.get('x-ratelimit-limit-requests')).toBe('100');
      expect(headers.get('x-ratelimit-reset-requests')).toMatch(/^(1m0s|\d{1,2}(\.\d+)?s)$/);
      expect(headers.get('x-ratelimit-limit-tokens')).toBeNull();
    }
    expect(served?.map((each) => remaining(each)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
    for (const each of refused ?? []) {
      expect(remaining(each)).toBe(0);
      const [seconds, ms] = ['retry-after', 'retry-after-ms'].map((name) => Number(each.headers.get(name)));
      expect(seconds).toBe(Math.ceil((ms ?? 0) / 1000));
      expect(seconds).toBeGreaterThan(30);
      expect(seconds).toBeLessThanOrEqual(60);
      expect(await errorOf(each)).toMatchObject({
        type: 'requests',
        code: 'rate_limit_exceeded',
        param: null,
      });
    }
    expect(await gateway.metric('ai_gateway_rate_limited_total', { limit: 'requests' })).toBe(100);
  });

  it('of two keys each gets its own share, of the gateway’s all get one together', async () => {
    const { ask } = await start(
      { ann: limited({ requestsPerMinute: 30 }), bob: limited({ requestsPerMinute: 40 }), eve: {} },
      undefined,
      { env: { QUOTA_REQUESTS_PER_MINUTE: '90' } },
    );
    const keys = ['ann', 'bob', 'eve'];
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const key = keys[i % 3] ?? '';
        return [key, (await ask({}, { key: keyOf(key) })).status] as const;
      }),
    );
    const served = keys.map(
      (key) => statuses.filter(([whose, status]) => whose === key && status === 200).length,
    );
    expect(served[0]).toBeLessThanOrEqual(30);
    expect(served[1]).toBeLessThanOrEqual(40);
    expect(served.reduce((sum, each) => sum + each, 0)).toBe(90);
  });

  it('exactly as many go on as may at the same time', async () => {
    const { script, calls } = holding();
    const { ask, gateway } = await start({ ann: limited({ concurrency: 12 }) }, script);
    const answers = Array.from({ length: 200 }, () => ask({ stream: true }));
    await eventually(
      async () => (await gateway.metric('ai_gateway_rate_limited_total', { limit: 'concurrency' })) === 188,
    );
    expect(calls).toHaveLength(12);
    calls.forEach(answer);
    const all = await Promise.all(answers);
    const statuses = all.map(({ status }) => status);
    expect([200, 429].map((status) => statuses.filter((each) => each === status).length)).toEqual([12, 188]);
    const [refused] = all.filter(({ status }) => status === 429);
    expect(refused?.headers.get('retry-after')).toBe('1');
    await Promise.all(all.map((each) => each.text()));
    await eventually(() => gateway.active() === 0);
    const again = Array.from({ length: 12 }, () => ask());
    await eventually(() => calls.length === 24);
    calls.slice(12).forEach(answer);
    expect((await Promise.all(again)).map(({ status }) => status)).toEqual(Array(12).fill(200));
  });
});

describe('who has no limit', () => {
  it('hears nothing of limits', async () => {
    const { ask } = await start({ ann: {}, bob: limited({ requestsPerMinute: 1 }) });
    const response = await ask();
    expect([...response.headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
  });
});

describe('settings', () => {
  const KEYS = { AUTH_KEY: 'a'.repeat(32), API_KEYS: 'b'.repeat(32) };

  it('limit every key that says nothing itself, each by itself', async () => {
    const { ask } = await start(undefined, undefined, {
      env: { ...KEYS, KEY_REQUESTS_PER_MINUTE: '2', KEY_TOKENS_PER_MINUTE: '100000' },
    });
    for (const key of [KEYS.AUTH_KEY, KEYS.API_KEYS]) {
      const first = await ask({}, { key });
      expect([first.status, remaining(first), first.headers.get('x-ratelimit-limit-tokens')]).toEqual([
        200,
        1,
        '100000',
      ]);
      expect((await ask({}, { key })).status).toBe(200);
      const third = await ask({}, { key });
      expect([third.status, (await errorOf(third)).message]).toEqual([
        429,
        expect.stringMatching(/^Rate limit reached for this API key: 2 requests per minute, 2 used\./),
      ]);
    }
  });

  it('of the gateway can be changed by a reload, and what was used before it counts', async () => {
    const backend = await setup.backend(saying('x'));
    const file = (limit: number): string =>
      `quota: { requestsPerMinute: ${String(limit)} }\nbackends: [{ name: b, kind: ollama, url: "${backend.url}" }]`;
    const gateway = await setup.gateway({ file: file(1) });
    expect((await gateway.chat()).status).toBe(200);
    expect((await gateway.chat()).status).toBe(429);
    gateway.rewrite(file(3));
    await gateway.reload();
    const response = await gateway.chat();
    expect([response.status, remaining(response)]).toEqual([200, 1]);
  });

  it('of models hold for names that match, also with a backend in front', async () => {
    const modelLimits = [{ models: 'm*', requestsPerMinute: 2 }];
    const { ask } = await start({ ann: { modelLimits } });
    expect((await ask()).status).toBe(200);
    expect((await ask({ model: 'ollama/m' })).status).toBe(200);
    const refused = await ask();
    expect([refused.status, (await errorOf(refused)).message]).toEqual([
      429,
      expect.stringContaining('with models `m*`: 2 requests per minute'),
    ]);
    expect((await ask({ model: 'other' })).headers.get('x-ratelimit-limit-requests')).toBeNull();
  });
});

describe('what comes to nothing costs nothing:', () => {
  const clients = { ann: limited({ requestsPerMinute: 10, tokensPerMinute: 10_000, concurrency: 1 }) };

  /** What is left when a request has taken its share. */
  async function expectUntouched({ ask, backend }: Started): Promise<void> {
    backend.script(saying('x'));
    const response = await ask();
    expect([response.status, remaining(response), remaining(response, 'tokens')]).toEqual([
      200,
      9,
      10_000 - 257,
    ]);
  }

  it('a request that is not valid', async () => {
    const started = await start(clients);
    expect((await started.ask({ temperature: 7 })).status).toBe(400);
    expect((await started.ask({ messages: 'none' })).status).toBe(400);
    await expectUntouched(started);
  });

  it('a model that nobody has', async () => {
    const started = await start(clients, undefined, {}, 'VLLM_BASE_URL');
    expect((await started.ask({ model: 'unknown' })).status).toBe(404);
    await expectUntouched(started);
  });

  it('a backend that fails, whatever it says', async () => {
    const started = await start(clients, failing(500, { error: 'broken' }));
    expect((await started.ask()).status).toBe(502);
    started.backend.script(failing(400, { error: 'no' }));
    expect((await started.ask()).status).toBe(400);
    started.backend.script(failing(429, { error: 'slow down' }));
    expect((await started.ask()).status).toBe(429);
    started.backend.script(({ reset }) => reset());
    expect((await started.ask({ stream: true })).status).toBe(502);
    await expectUntouched(started);
  });

  it('a request that another limit refuses', async () => {
    const { script, calls } = holding();
    const started = await start(clients, script);
    const first = started.ask();
    await eventually(() => calls.length === 1);
    for (let i = 0; i < 20; i++) expect((await started.ask()).status).toBe(429);
    calls[0]?.res.writeHead(500).end('{}');
    expect((await first).status).toBe(502);
    await expectUntouched(started);
  });

  it.each([true, false])('a client that leaves before the first token (stream: %s)', async (stream) => {
    const { script, calls } = holding();
    const started = await start(clients, script);
    const leaving = new AbortController();
    const response = started.ask({ stream }, { signal: leaving.signal });
    await eventually(() => calls.length === 1);
    leaving.abort();
    await expect(response).rejects.toThrow();
    await eventually(() => started.gateway.active() === 0);
    await expectUntouched(started);
  });
});

describe('tokens', () => {
  const clients = { ann: limited({ requestsPerMinute: 10, tokensPerMinute: 1000 }) };

  it('are held as they are estimated, and cost what the backend counted', async () => {
    const { ask } = await start(clients);
    const first = await ask({ max_tokens: 500 });
    // One for the prompt.
    expect(remaining(first, 'tokens')).toBe(1000 - 501);
    await first.text();
    const second = await ask({ max_tokens: 100 });
    // Five and three were counted.
    expect(remaining(second, 'tokens')).toBe(1000 - 8 - 101);
  });

  it('cost more when the backend counted more', async () => {
    const { ask } = await start(clients, (call) =>
      call.end(ollamaToken('x') + ollamaDone({ prompt_eval_count: 700, eval_count: 200 })),
    );
    await (await ask({ max_tokens: 10 })).text();
    expect(remaining(await ask({ max_tokens: 10 }), 'tokens')).toBe(1000 - 900 - 11);
    const refused = await ask({ max_tokens: 90 });
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, null]);
    expect(await errorOf(refused)).toMatchObject({ type: 'tokens', code: 'rate_limit_exceeded' });
  });

  it('of a stream whose client leaves cost the prompt and what was seen', async () => {
    const { script, calls } = holding();
    const { ask, gateway, backend } = await start(clients, script);
    const leaving = new AbortController();
    const response = ask({ stream: true, max_tokens: 400 }, { signal: leaving.signal });
    await eventually(() => calls.length === 1);
    const stream = openStream(await (await calls[0]?.write(ollamaToken('t0')), response));
    await stream.until('t0');
    for (let i = 1; i < 5; i++) {
      await calls[0]?.write(ollamaToken(`t${String(i)}`));
      await stream.until(`t${String(i)}`);
    }
    leaving.abort();
    await eventually(() => gateway.active() === 0);
    backend.script(saying('x'));
    const next = await ask({ max_tokens: 100 });
    expect([remaining(next), remaining(next, 'tokens')]).toEqual([8, 1000 - 6 - 101]);
  });

  it('that alone are more than the limit are refused for good', async () => {
    const { ask, backend } = await start(clients);
    const response = await ask({ max_tokens: 1000 });
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([429, 'false']);
    expect((await errorOf(response)).message).toMatch(
      /^Request too large for this API key: 1000 tokens per minute/,
    );
    expect(backend.calls).toHaveLength(0);
    expect(remaining(await ask({ max_tokens: 999 }), 'tokens')).toBe(0);
  });
});

describe('a stream', () => {
  it('is going on until its last byte', async () => {
    const { script, calls } = holding();
    const { ask, gateway } = await start({ ann: limited({ concurrency: 1 }) }, script);
    const first = ask({ stream: true });
    await eventually(() => calls.length === 1);
    await calls[0]?.write(ollamaToken('begun'));
    const stream = openStream(await first);
    await stream.until('begun');
    expect((await ask()).status).toBe(429);
    answer(calls[0]);
    expect(await stream.rest()).toContain('[DONE]');
    await eventually(() => gateway.active() === 0);
    const last = ask({ stream: true });
    await eventually(() => calls.length === 2);
    answer(calls[1]);
    expect(await readStream(await last)).toMatchObject({ isDone: true });
  });
});

describe('a budget', () => {
  it('is spent until the day is over, and whoever comes again in vain is told not to', async () => {
    let now = Date.parse('2026-03-31T23:00:00Z');
    const clients = { ann: limited({ tokensPerDay: 300, tokensPerMonth: 500 }) };
    const { ask, gateway } = await start(
      clients,
      (call) => call.end(ollamaToken('x') + ollamaDone({ prompt_eval_count: 200, eval_count: 90 })),
      { wallClock: () => now },
    );
    await (await ask({ max_tokens: 10 })).text();
    const spent = await ask({ max_tokens: 10 });
    expect(spent.status).toBe(429);
    expect(spent.headers.get('x-should-retry')).toBe('false');
    expect(spent.headers.get('retry-after')).toBe('3600');
    expect(spent.headers.get('x-ratelimit-remaining-tokens')).toBe('10');
    expect(await errorOf(spent)).toMatchObject({
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      message: expect.stringMatching(/300 tokens a day: 10 are left.*midnight UTC, in 59m/),
    });
    expect(await gateway.metric('ai_gateway_rate_limited_total', { limit: 'budget' })).toBe(1);
    // The next day, which is of the next month as well.
    now += 3_600_000;
    expect((await ask({ max_tokens: 10 })).status).toBe(200);
    now += 86_400_000;
    expect((await ask({ max_tokens: 10 })).status).toBe(200);
    now += 86_400_000;
    const month = await ask({ max_tokens: 10 });
    expect((await errorOf(month)).message).toMatch(/500 tokens a month: 0 are left.*first of the month/);
  });
});

describe('a page of another origin', () => {
  it('may read what is said of limits', async () => {
    const { ask } = await start({ ann: limited({ requestsPerMinute: 1 }) }, undefined, {
      env: { CORS_ORIGINS: '*' },
    });
    const exposed = (await ask()).headers.get('access-control-expose-headers') ?? '';
    for (const sort of ['requests', 'tokens']) {
      for (const what of ['limit', 'remaining', 'reset']) {
        expect(exposed).toContain(`x-ratelimit-${what}-${sort}`);
      }
    }
    expect(exposed).toContain('retry-after-ms');
  });
});

describe('what waits for a busy backend', () => {
  it('goes on by the priority of its key', async () => {
    const { script, calls } = holding();
    const backend = await setup.backend(script);
    const gateway = await setup.gateway({
      clients: { low: { priority: -1 }, normal: {}, high: { priority: 5 } },
      file: `backends: [{ name: b, kind: ollama, url: "${backend.url}", maxConcurrency: 1, queue: 9 }]`,
    });
    const order: string[] = [];
    const ask = async (key: string): Promise<void> => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${keyOf(key)}` };
      expect((await gateway.chat({}, { headers })).status).toBe(200);
      order.push(key);
    };
    const keys = ['low', 'low', 'normal', 'high', 'normal', 'high'];
    const answers = [];
    for (const key of keys) {
      answers.push(ask(key));
      await eventually(() => gateway.active() === answers.length);
    }
    for (let i = 0; i < keys.length; i++) {
      await eventually(() => calls.length === i + 1);
      answer(calls[i]);
      await eventually(() => order.length === i + 1);
    }
    await Promise.all(answers);
    // The first one was at work already.
    expect(order).toEqual(['low', 'high', 'high', 'normal', 'normal', 'low']);
  });
});
