/** Leases of clients in memory, each with a deadline. */

import type { Now } from '../../core/exchange.ts';
import { LEASE_MS } from '../../core/limits.ts';

export interface Leases {
  /** How many are held under the key; those that are over are left out when it is `limit` or more. */
  count(key: string, limit: number): number;
  /** Holds it for LEASE_MS from now on. */
  hold(key: string, id: string): void;
  free(key: string, id: string): void;
}

export function createLeases(now: Now): Leases {
  /** By key and id, when each is over. */
  const held = new Map<string, Map<string, number>>();

  function dropOver(key: string, ids: Map<string, number>): void {
    const nowMs = now();
    for (const [id, deadlineMs] of ids) if (deadlineMs <= nowMs) ids.delete(id);
    if (ids.size === 0) held.delete(key);
  }

  return {
    count(key, limit) {
      const ids = held.get(key);
      if (!ids) return 0;
      // To look through all of them is for when it matters.
      if (ids.size >= limit) dropOver(key, ids);
      return ids.size;
    },
    hold(key, id) {
      let ids = held.get(key);
      if (!ids) {
        ids = new Map();
        held.set(key, ids);
      }
      ids.set(id, now() + LEASE_MS);
    },
    free(key, id) {
      const ids = held.get(key);
      ids?.delete(id);
      if (ids?.size === 0) held.delete(key);
    },
  };
}
