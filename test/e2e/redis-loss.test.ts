/** Redis goes and comes back: what becomes of limits meanwhile, and what is told of it. */

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Limits } from '../../src/core/client.ts';
import { keyOf, type TestGateway } from '../support/gateway.ts';
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
let redis: TestRedis;

beforeEach(async () => {
  redis = await startRedis();
});
afterEach(() => redis.close());

interface Started {
  readonly gateway: TestGateway;
  ask(): Promise<Response>;
}

async function start(
  limits: Partial<Limits>,
  script: Script = saying('x'),
  env: Readonly<Record<string, string>> = {},
  isClockStopped = false,
): Promise<Started> {
  const backend = await setup.backend(script);
  const gateway = await setup.gateway({
    clients: { ann: { limits } },
    env: { OLLAMA_BASE_URL: backend.url, REDIS_URL: redis.url, ...env },
    isClockStopped,
  });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${keyOf('ann')}` };
  return { gateway, ask: () => gateway.chat({}, { headers }) };
}

const remaining = ({ headers }: Response): number =>
  Number(headers.get('x-ratelimit-remaining-requests') ?? NaN);
const isUp = ({ gateway }: Started): Promise<number> => gateway.metric('ai_gateway_limits_store_up');
const said = ({ gateway }: Started): string[] =>
  gateway.logs.map(({ message }) => message).filter((message) => message.startsWith('limits'));

describeWithRedis('without Redis', () => {
  it('each process counts for itself, and hands back when Redis is there again', async () => {
    const started = await start({ requestsPerMinute: 3 });
    const { ask } = started;
    expect([remaining(await ask()), remaining(await ask()), await isUp(started)]).toEqual([2, 1, 1]);
    await redis.kill();
    await eventually(async () => (await isUp(started)) === 0);
    expect(remaining(await ask())).toBe(2);
    expect(remaining(await ask())).toBe(1);
    expect(remaining(await ask())).toBe(0);
    expect((await ask()).status).toBe(429);
    await redis.start();
    await eventually(async () => (await isUp(started)) === 1);
    // It has come back empty.
    expect(remaining(await ask())).toBe(2);
    expect(said(started)).toEqual(['limits are not shared', 'limits are shared again']);
    const [line] = started.gateway.logs.filter(({ level }) => level === 'warn');
    expect(line?.fields).toMatchObject({ store: 'Redis', error: { reason: 'limits_unavailable' } });
  });

  it('clients with limits are refused where that is wished, until Redis is there again', async () => {
    const started = await start({ requestsPerMinute: 30 }, undefined, { REDIS_FAIL_CLOSED: 'true' });
    const { ask } = started;
    expect((await ask()).status).toBe(200);
    await redis.kill();
    for (let i = 0; i < 3; i++) {
      const refused = await ask();
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await refused.json()).toMatchObject({
        error: { code: 'limits_unavailable', type: 'server_error' },
      });
    }
    await redis.start();
    await eventually(async () => (await ask()).status === 200);
    expect(await isUp(started)).toBe(1);
  });

  it('nobody waits long for one that is held up', async () => {
    const started = await start({ requestsPerMinute: 30 });
    const { ask } = started;
    expect(remaining(await ask())).toBe(29);
    redis.freeze();
    try {
      expect(remaining(await ask())).toBe(29);
      const startedMs = performance.now();
      for (let i = 28; i > 20; i--) expect(remaining(await ask())).toBe(i);
      // Less than the time that a single one waits for an answer.
      expect(performance.now() - startedMs).toBeLessThan(450);
      expect(await isUp(started)).toBe(0);
    } finally {
      redis.thaw();
    }
    await eventually(async () => {
      await ask();
      return (await isUp(started)) === 1;
    });
  });

  it('leases of both times hold for all, as soon as Redis is there again', async () => {
    const calls: ScriptedCall[] = [];
    const script: Script = (call) => void calls.push(call);
    const one = await start({ concurrency: 2 }, script);
    const two = await start({ concurrency: 2 }, script);
    const before = one.ask();
    await eventually(() => calls.length === 1);
    await redis.kill();
    const meanwhile = one.ask();
    await eventually(() => calls.length === 2);
    await redis.start();
    for (const each of [one, two]) await eventually(async () => (await isUp(each)) === 1);
    expect([(await one.ask()).status, (await two.ask()).status]).toEqual([429, 429]);
    for (const call of calls) call.end(ollamaToken('x') + ollamaDone());
    expect([(await before).status, (await meanwhile).status]).toEqual([200, 200]);
    const after = [one.ask(), two.ask()];
    await eventually(() => calls.length === 4);
    for (const call of calls.slice(2)) call.end(ollamaToken('x') + ollamaDone());
    expect((await Promise.all(after)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it('a gateway that starts before Redis shares its limits once that is there', async () => {
    await redis.kill();
    // Time stands still: nothing looks for Redis but the connection itself.
    const started = await start({ requestsPerMinute: 30 }, undefined, {}, true);
    expect((await started.ask()).status).toBe(200);
    expect(await isUp(started)).toBe(0);
    await redis.start();
    await eventually(async () => (await isUp(started)) === 1);
    expect(remaining(await started.ask())).toBe(29);
  });
});
