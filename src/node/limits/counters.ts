/** Counters in memory, kept by rate-limiter-flexible. Loaded when something is first counted. */

import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Charge, Correction, Level } from '../../core/limits.ts';

export interface Counters {
  levels(charges: readonly Charge[]): Promise<Level[]>;
  add(charges: readonly Charge[]): Promise<Level[]>;
  correct(corrections: readonly Correction[]): Promise<void>;
}

const CLOSED: Level = { used: 0, resetMs: 0, window: 0 };
/** What a timer of Node can wait; the package sets one for each counter. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A window so near to its end takes nothing back: it may be over before that is written. */
const END_MS = 5;
const MIN_WINDOW_MS = 1;

/** To be called one after the other: who looks and then adds must have nobody in between. */
export function createCounters(): Counters {
  // What it allows is decided elsewhere: it counts, and forgets in time.
  const counters = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 0, keyPrefix: '' });
  /** When counters end that outlast every timer, by key. */
  const longEnds = new Map<string, number>();

  /** Counters of months that are over go when the next month begins one. */
  function beginLong(key: string, windowMs: number): void {
    const nowMs = Date.now();
    for (const [each, endMs] of longEnds) {
      if (endMs > nowMs) continue;
      longEnds.delete(each);
      void counters.delete(each);
    }
    longEnds.set(key, nowMs + windowMs);
  }

  function isLong(windowMs: number): boolean {
    return windowMs > MAX_TIMER_MS;
  }

  /** In seconds, should the counter begin now; 0: without an end. */
  function durationOf(key: string, windowMs: number): { customDuration: number } {
    return { customDuration: longEnds.has(key) ? 0 : Math.max(MIN_WINDOW_MS, windowMs) / 1000 };
  }

  function toLevel(key: string, result: RateLimiterRes | null, nowMs: number): Level {
    if (!result) return CLOSED;
    const longEndMs = longEnds.get(key);
    const endMs = longEndMs ?? nowMs + result.msBeforeNext;
    if (endMs <= nowMs) return CLOSED;
    return { used: result.consumedPoints, resetMs: endMs - nowMs, window: endMs };
  }

  return {
    async levels(charges) {
      const nowMs = Date.now();
      const results = await Promise.all(charges.map(({ key }) => counters.get(key)));
      return charges.map(({ key }, i) => toLevel(key, results[i] ?? null, nowMs));
    },

    async add(charges) {
      const nowMs = Date.now();
      const results = charges.map(({ key, amount, windowMs }) => {
        if (isLong(windowMs) && (longEnds.get(key) ?? 0) <= nowMs) beginLong(key, windowMs);
        return counters.penalty(key, amount, durationOf(key, windowMs));
      });
      const counted = await Promise.all(results);
      return charges.map(({ key }, i) => toLevel(key, counted[i] ?? null, nowMs));
    },

    async correct(corrections) {
      const nowMs = Date.now();
      for (const { key, amount, window, windowMs } of corrections) {
        const isRunning = window > nowMs + END_MS;
        if (amount < 0) {
          if (isRunning) await counters.reward(key, -amount, durationOf(key, windowMs));
        } else if (isRunning || windowMs > 0) {
          await counters.penalty(key, amount, durationOf(key, windowMs));
        }
      }
    },
  };
}
