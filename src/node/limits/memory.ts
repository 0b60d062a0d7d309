/** Limits in the memory of one process. */

import type { Now } from '../../core/exchange.ts';
import { isGranted, type LimitStore, type Slot, type Wish } from '../../core/limits.ts';
import type { Counters } from './counters.ts';
import { createLeases } from './leases.ts';

export function createMemoryStore(now: Now): LimitStore {
  let counters: Counters | undefined;
  const leases = createLeases(now);
  let last: Promise<unknown> = Promise.resolve();

  /** Nobody takes anything between another's look and its taking. */
  function inTurn<T>(work: (counters: Counters) => Promise<T>): Promise<T> {
    const result = last.then(async () => {
      counters ??= (await import('./counters.ts')).createCounters();
      return work(counters);
    });
    last = result.catch(ignore);
    return result;
  }

  function heldOf(slots: readonly Slot[]): number[] {
    return slots.map(({ key, limit }) => leases.count(key, limit));
  }

  return {
    take: (wish: Wish) =>
      inTurn(async ({ levels, add }) => {
        const { id, charges, slots } = wish;
        const before = await levels(charges);
        const held = heldOf(slots);
        if (!isGranted(wish, before, held)) return { isTaken: false, levels: before, held };
        for (const { key } of slots) leases.hold(key, id);
        return { isTaken: true, levels: await add(charges), held: heldOf(slots) };
      }),
    settle({ id, corrections, slots }) {
      for (const key of slots) leases.free(key, id);
      return corrections.length === 0 ? Promise.resolve() : inTurn(({ correct }) => correct(corrections));
    },
    renew(leasesHeld) {
      for (const { id, key } of leasesHeld) leases.hold(key, id);
      return Promise.resolve();
    },
  };
}

const ignore = (): undefined => undefined;
