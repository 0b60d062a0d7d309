/** Clients with limits, and admission over a store that does what the port says. */

import { createLimited, type LimitedAdmission } from '../../src/admission/limited.ts';
import { ANONYMOUS, NO_LIMITS, type Client, type Demand, type Limits } from '../../src/core/client.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { isGranted, type Level, type LimitStore } from '../../src/core/limits.ts';

export function clientWith(limits: Partial<Limits>, more: Partial<Client> = {}): Client {
  return { ...ANONYMOUS, name: 'ann', keyId: 'ann', limits: { ...NO_LIMITS, ...limits }, ...more };
}

export const demand = (prompt = 40, answer = 60, model = 'm'): Demand => ({
  model,
  estimateTokens: () => ({ prompt, answer }),
});

export interface TestLimits {
  readonly admission: LimitedAdmission;
  readonly refused: readonly string[];
  /** What a counter holds now. */
  used(key: string): number;
  /** Leases held now, of all keys. */
  held(): number;
  advance(ms: number): void;
  /** As a reload does. */
  requota(quota: Partial<Limits>): void;
}

interface Kept {
  used: number;
  endMs: number;
}

/** `startMs`: milliseconds since 1970 at the beginning. */
export function createTestLimits(quota: Partial<Limits> = {}, startMs = 0): TestLimits {
  let nowMs = startMs;
  let ids = 0;
  const refused: string[] = [];
  const counters = new Map<string, Kept>();
  const leases = new Map<string, Set<string>>();

  function levelOf(key: string): Level {
    const kept = counters.get(key);
    if (!kept || kept.endMs <= nowMs) return { used: 0, resetMs: 0, window: 0 };
    return { used: kept.used, resetMs: kept.endMs - nowMs, window: kept.endMs };
  }

  function add(key: string, amount: number, windowMs: number): void {
    const { used, window } = levelOf(key);
    counters.set(key, { used: used + amount, endMs: window || nowMs + windowMs });
  }

  const store: LimitStore = {
    take(wish) {
      const { id, charges, slots } = wish;
      const heldOf = (): number[] => slots.map(({ key }) => leases.get(key)?.size ?? 0);
      const levelsOf = (): Level[] => charges.map(({ key }) => levelOf(key));
      const isTaken = isGranted(wish, levelsOf(), heldOf());
      if (isTaken) {
        for (const { key, amount, windowMs } of charges) add(key, amount, windowMs);
        for (const { key } of slots) leases.set(key, (leases.get(key) ?? new Set()).add(id));
      }
      return Promise.resolve({ isTaken, levels: levelsOf(), held: heldOf() });
    },
    settle({ id, corrections, slots }) {
      for (const { key, amount, window, windowMs } of corrections) {
        const isSame = levelOf(key).window === window && window > 0;
        if (isSame || (amount > 0 && windowMs > 0)) add(key, amount, windowMs);
      }
      for (const key of slots) leases.get(key)?.delete(id);
      return Promise.resolve();
    },
    renew: () => Promise.resolve(),
  };

  let limits = { ...NO_LIMITS, ...quota };
  return {
    admission: createLimited({
      store,
      quota: () => limits,
      wallClock: () => nowMs,
      newId: () => String(ids++),
      refused: (sort) => refused.push(sort),
    }),
    refused,
    used: (key) => levelOf(key).used,
    held: () => [...leases.values()].reduce((sum, ids) => sum + ids.size, 0),
    advance(ms) {
      nowMs += ms;
    },
    requota(next) {
      limits = { ...NO_LIMITS, ...next };
    },
  };
}

export async function refusalOf(admitted: unknown): Promise<GatewayError> {
  try {
    await admitted;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('it was let in');
}
