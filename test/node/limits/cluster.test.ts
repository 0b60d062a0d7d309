/** Limits of several workers, which the primary keeps. */

import { EventEmitter } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import type { LimitStore } from '../../../src/core/limits.ts';
import {
  createClusterStore,
  createLimitDesk,
  type LimitChannel,
  type LimitDesk,
  type LimitMessage,
} from '../../../src/node/limits/cluster.ts';
import { createMemoryStore } from '../../../src/node/limits/memory.ts';
import { describeStore } from './contract.ts';

interface TestPrimary {
  readonly desk: LimitDesk;
  /** false: no message can be sent to it. */
  isConnected: boolean;
  /** It is held up, and hears nothing until this is false again. */
  isBusy: boolean;
  readonly waiting: (() => void)[];
}

function start(kept: LimitStore = createMemoryStore(() => performance.now())): TestPrimary {
  return { desk: createLimitDesk(kept), isConnected: true, isBusy: false, waiting: [] };
}

function catchUp({ isBusy, waiting }: TestPrimary): void {
  if (!isBusy) for (const hear of waiting.splice(0)) hear();
}

/** Messages go as they do between processes: copied, in order, and later. */
function connect(primary: TestPrimary, worker: number): LimitChannel {
  const emitter = new EventEmitter();
  function answer(message: LimitMessage): void {
    const copy = structuredClone(message);
    setImmediate(() => emitter.emit('message', copy));
  }
  return {
    send(message) {
      const copy = structuredClone(message);
      if (primary.isConnected) primary.waiting.push(() => primary.desk.hear(worker, copy, answer));
      setImmediate(catchUp, primary);
      return primary.isConnected;
    },
    onMessage: (listen) => emitter.on('message', listen),
  };
}

describeStore('limits at the primary', () =>
  Promise.resolve({ store: createClusterStore(connect(start(), 1)) }),
);

const slots = [{ key: 's', limit: 1 }];

describe('the primary', () => {
  it('frees the leases of a worker that dies, at once', async () => {
    const kept = createMemoryStore(() => performance.now());
    const primary = start(kept);
    const [one, two] = [connect(primary, 1), connect(primary, 2)].map(createClusterStore);
    await one?.take({ id: 'a', charges: [], slots });
    expect((await two?.take({ id: 'b', charges: [], slots }))?.isTaken).toBe(false);
    primary.desk.forget(1);
    expect((await two?.take({ id: 'b', charges: [], slots }))?.isTaken).toBe(true);
    // What a dead one had asked for before is not held, either.
    primary.desk.forget(2);
    expect((await kept.take({ id: 'c', charges: [], slots })).isTaken).toBe(true);
  });

  it('holds nothing for a worker that dies while it is asked', async () => {
    const kept = createMemoryStore(() => performance.now());
    const desk = createLimitDesk(kept);
    const answered = new Promise((resolve) => {
      desk.hear(1, { limits: 'take', number: 0, wish: { id: 'a', charges: [], slots } }, resolve);
    });
    desk.forget(1);
    await answered;
    expect((await kept.take({ id: 'b', charges: [], slots })).isTaken).toBe(true);
  });

  it('frees what a worker has renewed, when that one dies', async () => {
    const kept = createMemoryStore(() => performance.now());
    const desk = createLimitDesk(kept);
    desk.hear(1, { limits: 'renew', leases: [{ id: 'a', key: 's' }] }, () => undefined);
    expect((await kept.take({ id: 'b', charges: [], slots })).isTaken).toBe(false);
    desk.forget(1);
    expect((await kept.take({ id: 'b', charges: [], slots })).isTaken).toBe(true);
  });
});

describe('a worker', () => {
  const wish = { id: 'late', charges: [{ key: 'r', amount: 1, limit: 1, windowMs: 60_000 }], slots };

  it('does not wait for ever, and gives back what comes too late', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance', 'Date', 'nextTick', 'queueMicrotask'] });
    try {
      const primary = start();
      const store = createClusterStore(connect(primary, 1));
      primary.isBusy = true;
      const answer = store.take(wish);
      const refused = expect(answer).rejects.toThrow('did not answer in time');
      await jest.advanceTimersByTimeAsync(1000);
      await refused;
      primary.isBusy = false;
      catchUp(primary);
      // Only one fits in: the late one must have gone.
      let isTaken = false;
      while (!isTaken) ({ isTaken } = await store.take({ ...wish, id: 'next' }));
      expect(isTaken).toBe(true);
    } finally {
      jest.useRealTimers();
    }
  });

  it('hears at once that the primary is gone', async () => {
    const primary = start();
    const store = createClusterStore(connect(primary, 1));
    primary.isConnected = false;
    await expect(store.take(wish)).rejects.toThrow('gone');
    await expect(store.check()).rejects.toThrow('gone');
    primary.isConnected = true;
    await store.check();
  });
});
