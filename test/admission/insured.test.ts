/** What happens to limits while the store that keeps them is gone. */

import { describe, expect, it } from '@jest/globals';
import { createInsuredStore, type InsuredStore } from '../../src/admission/insured.ts';
import type { HeldLease, LimitStore, RemoteStore, Settling, Verdict } from '../../src/core/limits.ts';

const TAKEN: Verdict = { isTaken: true, levels: [], held: [] };
const wish = (id: string): Parameters<LimitStore['take']>[0] => ({ id, charges: [], slots: [] });

interface Fake extends RemoteStore {
  isGone: boolean;
  readonly taken: string[];
  readonly settled: Settling[];
  readonly renewed: HeldLease[];
  checks: number;
}

function fake(): Fake {
  const fail = (): void => {
    if (store.isGone) throw new Error('gone');
  };
  const store: Fake = {
    isGone: false,
    taken: [],
    settled: [],
    renewed: [],
    checks: 0,
    async take({ id }) {
      await Promise.resolve();
      fail();
      store.taken.push(id);
      return TAKEN;
    },
    async settle(settling) {
      await Promise.resolve();
      fail();
      store.settled.push(settling);
    },
    async renew(leases) {
      await Promise.resolve();
      fail();
      store.renewed.push(...leases);
    },
    async check() {
      store.checks++;
      await Promise.resolve();
      fail();
    },
  };
  return store;
}

interface Started {
  readonly remote: Fake;
  readonly memory: Fake;
  readonly store: InsuredStore;
  readonly changes: boolean[];
  advance(ms: number): void;
}

function start(isFailClosed = false): Started {
  const [remote, memory] = [fake(), fake()];
  const changes: boolean[] = [];
  let nowMs = 0;
  const store = createInsuredStore({
    remote,
    insurance: memory,
    isFailClosed: () => isFailClosed,
    now: () => nowMs,
    changed: (isUp) => changes.push(isUp),
  });
  return {
    remote,
    memory,
    store,
    changes,
    advance(ms) {
      nowMs += ms;
    },
  };
}

describe('a store that is gone', () => {
  it('is stood in for by memory from the first failure on, and asked no more', async () => {
    const { remote, memory, store, changes } = start();
    await store.take(wish('a'));
    remote.isGone = true;
    expect(await store.take(wish('b'))).toBe(TAKEN);
    expect(await store.take(wish('c'))).toBe(TAKEN);
    expect([remote.taken, memory.taken, changes]).toEqual([['a'], ['b', 'c'], [false]]);
    expect(store.isUp).toBe(false);
    expect(remote.checks).toBe(0);
  });

  it('is looked at once a second beside the requests, and takes over again when it answers', async () => {
    const { remote, memory, store, changes, advance } = start();
    remote.isGone = true;
    await store.take(wish('a'));
    advance(999);
    await store.take(wish('b'));
    expect(remote.checks).toBe(0);
    advance(1);
    await Promise.all([store.take(wish('c')), store.take(wish('d'))]);
    expect(remote.checks).toBe(1);
    remote.isGone = false;
    advance(1000);
    // Who comes first finds it gone, and does not wait.
    await store.take(wish('e'));
    expect(store.isUp).toBe(true);
    await store.take(wish('f'));
    expect([remote.taken, memory.taken]).toEqual([['f'], ['a', 'b', 'c', 'd', 'e']]);
    expect(changes).toEqual([false, true]);
  });

  it('is looked at when leases are renewed, also when nobody asks for anything', async () => {
    const { remote, store, changes } = start();
    remote.isGone = true;
    await store.renew([]);
    expect(changes).toEqual([false]);
    remote.isGone = false;
    await store.renew([]);
    expect(changes).toEqual([false, true]);
  });

  it('gets what it has taken itself, and hears of leases that end which others have taken', async () => {
    const { remote, memory, store, advance } = start();
    const corrections = [{ key: 'k', amount: -1, window: 1, windowMs: 1 }];
    await store.take(wish('its own'));
    remote.isGone = true;
    await store.take(wish('of memory'));
    await store.settle({ id: 'its own', corrections, slots: ['s'] });
    remote.isGone = false;
    advance(1000);
    store.recheck();
    await store.renew([{ id: 'of memory', key: 's' }]);
    expect(store.isUp).toBe(true);
    await store.renew([{ id: 'of memory', key: 's' }]);
    expect(remote.renewed).toContainEqual({ id: 'of memory', key: 's' });
    await store.settle({ id: 'of memory', corrections, slots: ['s'] });
    expect(memory.settled).toEqual([{ id: 'of memory', corrections, slots: ['s'] }]);
    expect(remote.settled).toEqual([{ id: 'of memory', corrections: [], slots: ['s'] }]);
  });

  it('refuses everybody when it fails closed, with the time to wait', async () => {
    const { remote, memory, store } = start(true);
    remote.isGone = true;
    for (const id of ['a', 'b']) {
      await expect(store.take(wish(id))).rejects.toMatchObject({
        reason: 'limits_unavailable',
        status: 503,
        retryAfterSeconds: 1,
      });
    }
    expect(memory.taken).toEqual([]);
    remote.isGone = false;
    store.recheck();
    await store.renew([]);
    await store.take(wish('c'));
    expect(remote.taken).toEqual(['c']);
  });
});
