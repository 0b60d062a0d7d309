/** More requests than there is room for: some wait, in turns, and the others are told at once. */

import type { JsonObject } from '../../../src/core/json.ts';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { expectWithin } from '../../support/figures.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { quantile } from '../../support/load.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms } from '../../support/programs.ts';
import { saying, type ScriptedBackend, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';

const setup = createSetup();
const start = createPrograms();
const SLOTS = 4;
const WAITING = 8;

const question = (text: string): JsonObject => ({ messages: [{ role: 'user', content: text }] });
const askedOf = ({ body }: ScriptedCall): string =>
  (body.messages as { content: string }[])[0]?.content ?? '';

interface Busy {
  readonly backend: ScriptedBackend;
  /** What it is working on, until the test answers. */
  readonly calls: ScriptedCall[];
}

async function busyBackend(): Promise<Busy> {
  const calls: ScriptedCall[] = [];
  return { backend: await setup.backend((call) => void calls.push(call)), calls };
}

/** Answers one after the other until so many were answered. */
async function answer({ calls }: Busy, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await eventually(() => calls.length > i);
    const call = calls[i];
    if (call) await saying('fine')(call);
  }
}

describe('100 requests at once for four slots and a line of eight', () => {
  async function storm(): Promise<{ busy: Busy; gateway: TestGateway }> {
    const busy = await busyBackend();
    const gateway = await setup.gateway({
      env: {
        OLLAMA_BASE_URL: busy.backend.url,
        BACKEND_CONCURRENCY: String(SLOTS),
        QUEUE_SIZE: String(WAITING),
      },
    });
    return { busy, gateway };
  }

  it.each([true, false])('are 12 served, and 88 refused at once (stream: %s)', async (stream) => {
    const { busy, gateway } = await storm();
    const refusals: number[] = [];
    const answers = Array.from({ length: 100 }, async () => {
      const startedMs = performance.now();
      const response = await gateway.chat({ stream });
      if (response.status !== 200) {
        refusals.push(performance.now() - startedMs);
        expect(response.headers.get('retry-after')).toBe('1');
        expect(await expectError(response)).toMatchObject({ status: 503, code: 'server_overloaded' });
      } else {
        expect(await response.text()).toContain('fine');
      }
      return response.status;
    });
    // All of them are refused while nothing is answered.
    await eventually(() => refusals.length === 88 && busy.calls.length === SLOTS);
    expect(await gateway.metric('ai_gateway_queue_depth', { backend: 'ollama' })).toBe(WAITING);
    expect(await gateway.metric('ai_gateway_backend_in_flight', { backend: 'ollama' })).toBe(SLOTS);
    expectWithin('overload: p99 of a refusal', quantile(refusals, 0.99), 500);
    await answer(busy, SLOTS + WAITING);
    const statuses = await Promise.all(answers);
    expect(statuses.filter((status) => status === 200)).toHaveLength(12);
    expect(busy.calls).toHaveLength(12);
    expect(gateway.deps.pool.inFlight()).toBe(0);
    expect(await gateway.metric('ai_gateway_queue_wait_seconds_count')).toBe(WAITING);
  });

  it('never reach the backend when they have left the line', async () => {
    const { busy, gateway } = await storm();
    const served = Array.from({ length: SLOTS }, () => gateway.chat(question('stays')));
    await eventually(() => busy.calls.length === SLOTS);
    const leaving = new AbortController();
    const left = Array.from({ length: WAITING / 2 }, () =>
      gateway.chat(question('leaves'), { signal: leaving.signal }).catch(() => 'left'),
    );
    await eventually(() => gateway.active() === SLOTS + WAITING / 2);
    const waiting = Array.from({ length: WAITING / 2 }, () => gateway.chat(question('stays')));
    await eventually(() => gateway.active() === SLOTS + WAITING);
    leaving.abort();
    expect(new Set(await Promise.all(left))).toEqual(new Set(['left']));
    // Their places are free again.
    await eventually(() => gateway.active() === SLOTS + WAITING / 2);
    const late = Array.from({ length: WAITING / 2 }, () => gateway.chat(question('stays')));
    await answer(busy, SLOTS + WAITING);
    for (const each of [...served, ...waiting, ...late]) expect((await each).status).toBe(200);
    expect(new Set(busy.calls.map(askedOf))).toEqual(new Set(['stays']));
  });
});

describe('a line', () => {
  it('serves keys in turn: a hundred requests of one do not keep a single one of another waiting', async () => {
    const busy = await busyBackend();
    const [greedy, modest] = [
      'the-greedy-one-has-a-key-of-32-characters',
      'the-modest-one-has-a-key-of-32-characters',
    ] as const;
    const gateway = await setup.gateway({
      env: {
        OLLAMA_BASE_URL: busy.backend.url,
        BACKEND_CONCURRENCY: '1',
        AUTH_KEY: greedy,
        API_KEYS: modest,
      },
    });
    const ask = (key: string, text: string): Promise<Response> =>
      gateway.chat(question(text), {
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      });
    const answers = Array.from({ length: 20 }, () => ask(greedy, 'greedy'));
    await eventually(() => gateway.active() === 20);
    answers.push(ask(modest, 'modest'));
    await eventually(() => gateway.active() === 21);
    await answer(busy, 21);
    for (const each of answers) expect((await each).status).toBe(200);
    // One was being served, and one of the greedy was next.
    expect(busy.calls.map(askedOf).indexOf('modest')).toBeLessThanOrEqual(2);
  });

  it('is one for each model: a crowd before one leaves room before the other', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call), { models: ['m', 'other'] });
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, BACKEND_CONCURRENCY: '1', QUEUE_SIZE: '2' },
    });
    const crowd = Array.from({ length: 3 }, () => gateway.chat());
    await eventually(() => gateway.active() === 3);
    expect((await gateway.chat()).status).toBe(503);
    const other = gateway.chat({ model: 'other' });
    await eventually(() => gateway.active() === 4);
    await answer({ backend, calls }, 4);
    for (const each of [...crowd, other]) expect((await each).status).toBe(200);
    expect(calls.map(({ body }) => body.model).indexOf('other')).toBeLessThanOrEqual(2);
  });

  it('forms before the limit of the whole process, too', async () => {
    const [a, b] = [await busyBackend(), await busyBackend()];
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: `${a.backend.url},${b.backend.url}`, MAX_CONCURRENCY: '3', QUEUE_SIZE: '2' },
    });
    const working = (): number => a.calls.length + b.calls.length;
    const answers = Array.from({ length: 5 }, () => gateway.chat());
    await eventually(() => gateway.active() === 5 && working() === 3);
    expect(await expectError(await gateway.chat())).toMatchObject({ status: 503, code: 'server_overloaded' });
    let served = 0;
    while (served < 5) {
      await eventually(() => working() > served);
      expect(working()).toBeLessThanOrEqual(served + 3);
      served++;
      const call = [...a.calls, ...b.calls].find(({ res }) => !res.writableEnded);
      if (call) await saying('fine')(call);
    }
    for (const each of answers) expect((await each).status).toBe(200);
  });
});

describe('the workers of a program', () => {
  beforeAll(buildProgram, 60_000);

  it('have no more slots and places in line together than one process would have', async () => {
    const busy = await busyBackend();
    const { chat, listening } = await start({
      OLLAMA_BASE_URL: busy.backend.url,
      WORKERS: '2',
      BACKEND_CONCURRENCY: '3',
      QUEUE_SIZE: '1',
    });
    await listening(2);
    const refusals: Response[] = [];
    // Each over a connection of its own: they go to the workers in turn.
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const answers = Array.from({ length: 40 }, async () => {
      const response = await chat({}, { headers });
      if (response.status !== 200) refusals.push(response);
      return response.status;
    });
    await eventually(() => refusals.length === 36 && busy.calls.length === 3);
    await answer(busy, 4);
    expect((await Promise.all(answers)).filter((status) => status === 200)).toHaveLength(4);
  });
});
