/** What a client is told that has had its share: which limit it is, how much, and when it is free again. */

import { GatewayError } from '../core/errors.ts';
import type { Verdict } from '../core/limits.ts';
import type { RuledCharge, RuledSlot } from './charges.ts';
import { duration, rateHeaders } from './rate-headers.ts';
import type { Rule } from './rules.ts';

export interface Refusal {
  readonly sort: Rule['sort'];
  readonly error: GatewayError;
}

/** A slot comes free when some exchange ends, which nobody can foretell. */
const SLOT_RETRY_MS = 1000;

interface Broken {
  readonly charge: RuledCharge;
  readonly used: number;
  readonly waitMs: number;
}

/** Of several limits that are in the way the one is told that is in the way for the longest time. */
export function refusalOf(
  charges: readonly RuledCharge[],
  slots: readonly RuledSlot[],
  { levels, held }: Verdict,
): Refusal {
  const headers = rateHeaders(charges, levels);
  const broken = charges.flatMap((charge, i): Broken[] => {
    const { used, resetMs } = levels[i] ?? { used: 0, resetMs: 0 };
    if (used + charge.amount <= charge.limit) return [];
    return [{ charge, used, waitMs: charge.amount > charge.limit ? Infinity : resetMs }];
  });
  const worst = broken.reduce<Broken | undefined>(
    (found, each) => (!found || each.waitMs > found.waitMs ? each : found),
    undefined,
  );
  if (worst) return { sort: worst.charge.rule.sort, error: toError(worst, headers) };
  const slot = slots.find(({ limit }, i) => (held[i] ?? 0) >= limit) ?? slots[0];
  return { sort: 'concurrency', error: concurrencyExceeded(slot, headers) };
}

function toError(broken: Broken, headers: Readonly<Record<string, string>>): GatewayError {
  const { charge, used, waitMs } = broken;
  const { sort, limit, scope, period } = charge.rule;
  if (sort === 'budget') return budgetSpent(broken, headers);
  if (waitMs === Infinity) {
    return new GatewayError('tokens_exceeded', {
      message:
        `Request too large for ${scope}: ${String(limit)} tokens per minute are allowed, and this request alone ` +
        `may take about ${String(charge.amount)}. Send less, or set a lower max_tokens.`,
      headers,
      retryIsFutile: true,
    });
  }
  const need = sort === 'tokens' ? `, and this request may take about ${String(charge.amount)}` : '';
  return new GatewayError(sort === 'tokens' ? 'tokens_exceeded' : 'rate_limit_exceeded', {
    message: `Rate limit reached for ${scope}: ${String(limit)} ${sort} per ${period}, ${String(used)} used${need}. Try again in ${duration(waitMs)}.`,
    headers,
    retryAfterMs: waitMs,
  });
}

function budgetSpent(
  { charge, used, waitMs }: Broken,
  headers: Readonly<Record<string, string>>,
): GatewayError {
  const { limit, scope, period } = charge.rule;
  const left = Math.max(0, limit - used);
  const begins = period === 'day' ? 'at midnight UTC' : 'on the first of the month, UTC';
  return new GatewayError('insufficient_quota', {
    message:
      `The budget of ${scope} is ${String(limit)} tokens a ${period}: ${String(left)} are left, and this request may ` +
      `take about ${String(charge.amount)}. ` +
      (waitMs === Infinity
        ? 'Send less, or set a lower max_tokens.'
        : `The next one begins ${begins}, in ${duration(waitMs)}.`),
    headers,
    retryIsFutile: true,
    ...(waitMs !== Infinity && { retryAfterMs: waitMs }),
  });
}

function concurrencyExceeded(
  slot: RuledSlot | undefined,
  headers: Readonly<Record<string, string>>,
): GatewayError {
  const { limit, scope } = slot?.rule ?? { limit: 0, scope: 'this API key' };
  return new GatewayError('concurrency_exceeded', {
    message:
      `Concurrency limit reached for ${scope}: ${String(limit)} requests at the same time, and all are going on. ` +
      'Try again when one of them has ended.',
    headers,
    retryAfterMs: SLOT_RETRY_MS,
  });
}
