/** Limits in the memory of one process. */

import type { Now } from '../../core/exchange.ts';
import { isGranted, type LimitStore, type Slot, type Wish } from '../../core/limits.ts';
import { createCounters } from './counters.ts';
import { createLeases } from './leases.ts';

export function createMemoryStore(now: Now): LimitStore {
  const counters = createCounters();
  const leases = createLeases(now);
  let last: Promise<unknown> = Promise.resolve();

  /** Nobody takes anything between another's look and its taking. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work);
    last = result.catch(ignore);
    return result;
  }

  function heldOf(slots: readonly Slot[]): number[] {
    return slots.map(({ key, limit }) => leases.count(key, limit));
  }

  return {
    take: (wish: Wish) =>
      inTurn(async () => {
        const { id, charges, slots } = wish;
        const before = await counters.levels(charges);
        const held = heldOf(slots);
        if (!isGranted(wish, before, held)) return { isTaken: false, levels: before, held };
        for (const { key } of slots) leases.hold(key, id);
        return { isTaken: true, levels: await counters.add(charges), held: heldOf(slots) };
      }),
    settle({ id, corrections, slots }) {
      for (const key of slots) leases.free(key, id);
      return corrections.length === 0 ? Promise.resolve() : inTurn(() => counters.correct(corrections));
    },
    renew(leasesHeld) {
      for (const { id, key } of leasesHeld) leases.hold(key, id);
      return Promise.resolve();
    },
  };
}

const ignore = (): undefined => undefined;
