/** Limits that hold for several processes: workers of one program, and programs with one Redis. */

import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { LEASE_MS } from '../../src/core/limits.ts';
import { buildProgram, runProgram, type Program } from '../support/program.ts';
import { describeWithRedis, startRedis, type TestRedis } from '../support/redis.ts';
import {
  ollamaDone,
  ollamaToken,
  saying,
  type Script,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();
const running: Program[] = [];

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGKILL');
    await program.ended;
  }
});

interface Started {
  readonly program: Program;
  readonly origin: string;
}

async function start(env: Readonly<Record<string, string>>): Promise<Started> {
  const program = runProgram({ LOG_FORMAT: 'pretty', ...env });
  running.push(program);
  const screen = await program.until("}'");
  return { program, origin: /http:\/\/localhost:\d+(?=\/v1)/.exec(screen)?.[0] ?? '' };
}

/** A connection of its own, so that the next worker gets it. */
function chat(origin: string, body: object = {}): Promise<Response> {
  return fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
  });
}

const count = (answers: readonly Response[], status: number): number =>
  answers.filter((each) => each.status === status).length;

function holding(): { readonly script: Script; readonly calls: ScriptedCall[] } {
  const calls: ScriptedCall[] = [];
  return { calls, script: (call) => void calls.push(call) };
}

const end = (call: ScriptedCall | undefined): void => call?.end(ollamaToken('x') + ollamaDone());

describe('two workers', () => {
  async function startTwo(url: string, env: Readonly<Record<string, string>>): Promise<Started> {
    const started = await start({ WORKERS: '2', OLLAMA_BASE_URL: url, ...env });
    await eventually(async () => pidsOf(await started.program.until('worker listens')).length === 2);
    return started;
  }

  const pidsOf = (text: string): number[] =>
    [...text.matchAll(/worker listens pid=(\d+)/g)].map(([, pid]) => Number(pid));

  it('let in exactly 100 of 200 requests at once when 100 a minute are allowed', async () => {
    const backend = await setup.backend(saying('x'));
    const { origin, program } = await startTwo(backend.url, { QUOTA_REQUESTS_PER_MINUTE: '100' });
    const answers = await Promise.all(Array.from({ length: 200 }, () => chat(origin)));
    expect([count(answers, 200), count(answers, 429), backend.calls.length]).toEqual([100, 100, 100]);
    for (const { status, headers } of answers) {
      expect(headers.get('x-ratelimit-limit-requests')).toBe('100');
      expect(headers.get('retry-after') !== null).toBe(status === 429);
    }
    // Both of them were asked.
    await program.until('request ');
    const page = await (await fetch(`${origin}/metrics`)).text();
    expect(page).toMatch(/^ai_gateway_rate_limited_total\{limit="requests"\} 100$/m);
  });

  it('let exactly as many go on as may, and one that dies holds nothing any more', async () => {
    const { script, calls } = holding();
    const backend = await setup.backend(script);
    const { origin, program } = await startTwo(backend.url, { QUOTA_CONCURRENCY: '4' });
    const answers = Array.from({ length: 40 }, () => chat(origin, { stream: true }).catch(() => undefined));
    const settled: (Response | undefined)[] = [];
    for (const each of answers) void each.then((answer) => settled.push(answer));
    await eventually(() => settled.length === 36 && calls.length === 4);
    expect(settled.every((answer) => answer?.status === 429)).toBe(true);
    const listening = async (): Promise<number[]> => pidsOf(await program.until('worker listens'));
    // One after the other: the port is free when there is none.
    for (const [i, pid] of (await listening()).entries()) {
      process.kill(pid, 'SIGKILL');
      await eventually(async () => (await listening()).length === 3 + i);
    }
    const again = Array.from({ length: 4 }, () => chat(origin));
    await eventually(() => calls.length === 8);
    calls.slice(4).forEach(end);
    expect(count(await Promise.all(again), 200)).toBe(4);
  });
});

describeWithRedis('two programs with one Redis', () => {
  let redis: TestRedis;

  async function startTwo(url: string, env: Readonly<Record<string, string>>): Promise<[Started, Started]> {
    redis = await startRedis();
    const all = { OLLAMA_BASE_URL: url, REDIS_URL: redis.url, ...env };
    return [await start(all), await start(all)];
  }
  afterEach(() => redis.close());

  it('let in exactly 100 of 200 requests at once when 100 a minute are allowed', async () => {
    const backend = await setup.backend(saying('x'));
    const [one, two] = await startTwo(backend.url, {
      QUOTA_REQUESTS_PER_MINUTE: '100',
      QUOTA_TOKENS_PER_MINUTE: '1000000',
    });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => chat(i % 2 === 0 ? one.origin : two.origin)),
    );
    expect([count(answers, 200), count(answers, 429), backend.calls.length]).toEqual([100, 100, 100]);
    for (const { status, headers } of answers) {
      expect(headers.get('x-ratelimit-limit-requests')).toBe('100');
      expect(headers.get('x-ratelimit-limit-tokens')).toBe('1000000');
      expect(headers.get('retry-after') !== null).toBe(status === 429);
    }
  });

  it('have their leases renewed while they live, and lose them when they are killed', async () => {
    const { script, calls } = holding();
    const backend = await setup.backend(script);
    const [one, two] = await startTwo(backend.url, { QUOTA_CONCURRENCY: '1' });
    const client = new Redis(redis.url);
    try {
      const stream = chat(one.origin, { stream: true }).catch(() => undefined);
      await eventually(() => calls.length === 1);
      expect((await chat(two.origin)).status).toBe(429);
      const [key = ''] = await client.keys('*:slots');
      const [id = ''] = await client.zrange(key, '0', '-1');
      const deadline = async (): Promise<number> => Number(await client.zscore(key, id));
      const first = await deadline();
      expect(first - Date.now()).toBeLessThanOrEqual(LEASE_MS);
      await eventually(async () => (await deadline()) > first);

      one.program.process.kill('SIGKILL');
      await stream;
      await one.program.ended;
      expect((await chat(two.origin)).status).toBe(429);
      // Nobody renews it any more: the time until it is over is cut short here.
      await client.zadd(key, '1', id);
      const next = chat(two.origin);
      await eventually(() => calls.length === 2);
      end(calls[1]);
      expect((await next).status).toBe(200);
    } finally {
      client.disconnect();
    }
  });
});
