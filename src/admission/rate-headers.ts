/** How OpenAI tells a client what is left of its limits. */

import type { Level } from '../core/limits.ts';
import type { RuledCharge } from './charges.ts';

/** `x-ratelimit-…` of the tightest limit of requests and of the tightest of tokens, as far as there are any. */
export function rateHeaders(
  charges: readonly RuledCharge[],
  levels: readonly Level[],
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of ['requests', 'tokens'] as const) {
    const tightest = tightestOf(charges, levels, name === 'requests');
    if (!tightest) continue;
    headers[`x-ratelimit-limit-${name}`] = String(tightest.limit);
    headers[`x-ratelimit-remaining-${name}`] = String(tightest.remaining);
    headers[`x-ratelimit-reset-${name}`] = duration(tightest.resetMs);
  }
  return headers;
}

interface Remainder {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}

/** The one with the least left; of equals the one that is empty for the longest time. */
function tightestOf(
  charges: readonly RuledCharge[],
  levels: readonly Level[],
  isOfRequests: boolean,
): Remainder | undefined {
  let tightest: Remainder | undefined;
  for (const [i, { rule, limit }] of charges.entries()) {
    if ((rule.sort === 'requests') !== isOfRequests) continue;
    const { used, resetMs } = levels[i] ?? { used: 0, resetMs: 0 };
    const remaining = Math.max(0, limit - used);
    const isTighter =
      !tightest ||
      remaining < tightest.remaining ||
      (remaining === tightest.remaining && resetMs > tightest.resetMs);
    if (isTighter) tightest = { limit, remaining, resetMs };
  }
  return tightest;
}

/** As Go prints durations, which is OpenAI's form: `20ms`, `1s`, `6m0s`, `7h12m3.5s`. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  if (whole > 0 && whole < 1000) return `${String(whole)}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = `${String((whole % 60_000) / 1000)}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0
    ? `${String(minutes)}m${seconds}`
    : `${String(hours)}h${String(minutes % 60)}m${seconds}`;
}
