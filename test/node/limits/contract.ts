/** What every store of limits does, wherever it keeps them. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { undoing, type Charge, type LimitStore, type Slot, type Wish } from '../../../src/core/limits.ts';
import { eventually } from '../../support/setup.ts';

export interface TestStore {
  readonly store: LimitStore;
  close?(): Promise<void>;
}

const LONG_MS = 60_000;
/** Over within a test. */
const SHORT_MS = 60;
const MONTH_MS = 31 * 86_400_000;

let ids = 0;

const charge = (key: string, amount: number, limit: number, windowMs = LONG_MS): Charge => ({
  key,
  amount,
  limit,
  windowMs,
});

function wish(charges: readonly Charge[], slots: readonly Slot[] = []): Wish {
  return { id: `id-${String(ids++)}`, charges, slots };
}

const slot = (key: string, limit: number): Slot => ({ key, limit });

export function describeStore(name: string, create: () => Promise<TestStore>): void {
  describe(name, () => {
    const closers: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of closers.splice(0)) await close();
    });

    async function start(): Promise<LimitStore> {
      const { store, close } = await create();
      if (close) closers.push(close);
      return store;
    }

    /** What a counter holds, seen by somebody whom it has no room for. */
    async function usedOf(store: LimitStore, key: string): Promise<number> {
      const { levels } = await store.take(wish([charge(key, 1, 0)]));
      return levels[0]?.used ?? NaN;
    }

    it('grants as many of many at once as there is room for, and tells each how it stands', async () => {
      const store = await start();
      const verdicts = await Promise.all(
        Array.from({ length: 200 }, () => store.take(wish([charge('a', 1, 100)]))),
      );
      const granted = verdicts.filter(({ isTaken }) => isTaken);
      expect(granted).toHaveLength(100);
      const seen = granted.map(({ levels }) => levels[0]?.used ?? 0).sort((a, b) => a - b);
      expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
      expect(await usedOf(store, 'a')).toBe(100);
    });

    it('takes from all or from none', async () => {
      const store = await start();
      await store.take(wish([charge('tokens', 90, 100)], [slot('slots', 2)]));
      const refused = await store.take(
        wish([charge('requests', 1, 10), charge('tokens', 20, 100)], [slot('slots', 2)]),
      );
      expect(refused).toMatchObject({ isTaken: false, levels: [{ used: 0 }, { used: 90 }], held: [1] });
      await store.take(wish([], [slot('slots', 2)]));
      const full = await store.take(wish([charge('requests', 1, 10)], [slot('slots', 2)]));
      expect(full).toMatchObject({ isTaken: false, levels: [{ used: 0, resetMs: 0 }], held: [2] });
      expect([await usedOf(store, 'requests'), await usedOf(store, 'tokens')]).toEqual([0, 90]);
    });

    it('never refuses anybody because of one that is refused itself', async () => {
      const store = await start();
      // Each big one is refused by the second limit; every small one fits into the first.
      const wishes = Array.from({ length: 100 }, (_, i) =>
        i % 2 === 0 ? wish([charge('first', 1, 50), charge('second', 1, 0)]) : wish([charge('first', 1, 50)]),
      );
      const verdicts = await Promise.all(wishes.map((each) => store.take(each)));
      expect(verdicts.filter(({ isTaken }) => isTaken)).toHaveLength(50);
    });

    it('begins a counter anew when its time is over, and not before', async () => {
      const store = await start();
      const startedMs = performance.now();
      const { levels } = await store.take(wish([charge('a', 1, 1, SHORT_MS)]));
      expect(levels[0]).toMatchObject({ used: 1 });
      expect(levels[0]?.resetMs).toBeGreaterThan(0);
      expect(levels[0]?.resetMs).toBeLessThanOrEqual(SHORT_MS);
      await eventually(async () => (await store.take(wish([charge('a', 1, 1, SHORT_MS)]))).isTaken);
      // A store's clock has whole milliseconds.
      expect(performance.now() - startedMs).toBeGreaterThan(SHORT_MS - 2);
    });

    it('tells until when a counter runs that has no room, and does not prolong it', async () => {
      const store = await start();
      await store.take(wish([charge('a', 1, 1, 1000)]));
      const first = await store.take(wish([charge('a', 1, 1, 1000)]));
      await eventually(async () => {
        const later = await store.take(wish([charge('a', 1, 1, 1000)]));
        return (later.levels[0]?.resetMs ?? 0) < (first.levels[0]?.resetMs ?? 0) - 5;
      });
    });

    it('gives back what was too much, and never below nothing', async () => {
      const store = await start();
      const taken = await store.take(wish([charge('a', 80, 100)]));
      const window = taken.levels[0]?.window ?? 0;
      await store.settle({
        id: '',
        corrections: [{ key: 'a', amount: -50, window, windowMs: 0 }],
        slots: [],
      });
      expect(await usedOf(store, 'a')).toBe(30);
      expect((await store.take(wish([charge('a', 71, 100)]))).isTaken).toBe(false);
      expect((await store.take(wish([charge('a', 70, 100)]))).isTaken).toBe(true);
    });

    it('charges what was too little, above the limit if need be', async () => {
      const store = await start();
      const { levels } = await store.take(wish([charge('a', 10, 100)]));
      const window = levels[0]?.window ?? 0;
      const correction = { key: 'a', amount: 500, window, windowMs: LONG_MS };
      await store.settle({ id: '', corrections: [correction], slots: [] });
      expect(await usedOf(store, 'a')).toBe(510);
      expect((await store.take(wish([charge('a', 1, 100)]))).isTaken).toBe(false);
    });

    it('gives nothing back to a later time, and charges a later one only if told so', async () => {
      const store = await start();
      const { levels } = await store.take(wish([charge('a', 5, 5, SHORT_MS)]));
      const window = levels[0]?.window ?? 0;
      await eventually(async () => (await store.take(wish([charge('a', 5, 5, LONG_MS)]))).isTaken);
      await store.settle({
        id: '',
        corrections: [{ key: 'a', amount: -5, window, windowMs: LONG_MS }],
        slots: [],
      });
      expect(await usedOf(store, 'a')).toBe(5);

      const other = await store.take(wish([charge('b', 1, 5, SHORT_MS)]));
      await eventually(async () => (await usedOf(store, 'b')) === 0);
      const late = { key: 'b', amount: 3, window: other.levels[0]?.window ?? 0 };
      await store.settle({ id: '', corrections: [{ ...late, windowMs: 0 }], slots: [] });
      expect(await usedOf(store, 'b')).toBe(0);
      await store.settle({ id: '', corrections: [{ ...late, windowMs: LONG_MS }], slots: [] });
      expect(await usedOf(store, 'b')).toBe(3);
    });

    it('undoes a whole wish', async () => {
      const store = await start();
      const wanted = wish([charge('a', 3, 10), charge('b', 1, 10)], [slot('s', 1)]);
      await store.settle(undoing(wanted, await store.take(wanted)));
      const again = await store.take(wanted);
      expect(again).toMatchObject({ isTaken: true, levels: [{ used: 3 }, { used: 1 }], held: [1] });
    });

    it('counts months, which are longer than a timer can wait', async () => {
      const store = await start();
      const { levels } = await store.take(wish([charge('m', 7, 10, MONTH_MS)]));
      expect(levels[0]?.resetMs).toBeGreaterThan(MONTH_MS - 10_000);
      const window = levels[0]?.window ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await usedOf(store, 'm')).toBe(7);
      await store.settle({ id: '', corrections: [{ key: 'm', amount: -2, window, windowMs: 0 }], slots: [] });
      await store.settle({ id: '', corrections: [{ key: 'm', amount: 4, window, windowMs: 0 }], slots: [] });
      expect(await usedOf(store, 'm')).toBe(9);
    });

    it('holds a lease for each exchange until it is settled', async () => {
      const store = await start();
      const wishes = Array.from({ length: 20 }, () => wish([], [slot('s', 5)]));
      const verdicts = await Promise.all(wishes.map((each) => store.take(each)));
      const holders = wishes.filter((_, i) => verdicts[i]?.isTaken);
      expect(holders).toHaveLength(5);
      await store.settle({ id: holders[0]?.id ?? '', corrections: [], slots: ['s'] });
      // A second time frees nobody else's.
      await store.settle({ id: holders[0]?.id ?? '', corrections: [], slots: ['s'] });
      expect(await store.take(wish([], [slot('s', 5)]))).toMatchObject({ isTaken: true, held: [5] });
      expect(await store.take(wish([], [slot('s', 5)]))).toMatchObject({ isTaken: false, held: [5] });
    });

    it('holds a lease again that it had forgotten', async () => {
      const store = await start();
      await store.renew([{ id: 'old', key: 's' }]);
      expect((await store.take(wish([], [slot('s', 1)]))).isTaken).toBe(false);
      await store.settle({ id: 'old', corrections: [], slots: ['s'] });
      expect((await store.take(wish([], [slot('s', 1)]))).isTaken).toBe(true);
    });

    it('ends with nothing held and the right sums after thousands of exchanges', async () => {
      const store = await start();
      let kept = 0;
      let spent = 0;
      async function exchange(i: number): Promise<void> {
        const wanted = wish([charge('r', 1, 1e6), charge('t', 10, 1e9)], [slot('s', 1e6)]);
        const verdict = await store.take(wanted);
        const isGivenBack = i % 3 === 0;
        if (isGivenBack) {
          await store.settle(undoing(wanted, verdict));
          return;
        }
        const amount = (i % 7) - 3;
        kept++;
        spent += 10 + amount;
        const window = verdict.levels[1]?.window ?? 0;
        const corrections = [{ key: 't', amount, window, windowMs: LONG_MS }];
        await store.settle({ id: wanted.id, corrections, slots: ['s'] });
      }
      for (let i = 0; i < 2000; i += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, j) => exchange(i + j)));
      }
      expect([await usedOf(store, 'r'), await usedOf(store, 't')]).toEqual([kept, spent]);
      expect((await store.take(wish([], [slot('s', 1)]))).isTaken).toBe(true);
    });
  });
}
