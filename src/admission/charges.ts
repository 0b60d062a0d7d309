/** What a request takes from its limits at first, and what it turns out to have taken. */

import type { Settlement, TokenEstimate } from '../core/client.ts';
import type { Charge, Correction, Level, Slot } from '../core/limits.ts';
import { counterOf } from './periods.ts';
import type { CountRule, Rule, SlotRule } from './rules.ts';

/** A charge and the rule that asks for it. */
export interface RuledCharge extends Charge {
  readonly rule: CountRule;
}

export interface RuledSlot extends Slot {
  readonly rule: SlotRule;
}

/** More than any limit; what clients write into `max_tokens` is up to them. */
const MAX_TOKENS = 1_000_000_000_000;

/** Without an estimate tokens are not counted. `nowMs`: since 1970. */
export function chargesOf(
  rules: readonly Rule[],
  estimate: TokenEstimate | undefined,
  nowMs: number,
): RuledCharge[] {
  const charges: RuledCharge[] = [];
  for (const rule of rules) {
    if (rule.sort === 'concurrency') continue;
    const amount = rule.sort === 'requests' ? 1 : estimate && toTokens(Math.max(1, totalOf(estimate)));
    if (amount === undefined) continue;
    charges.push({ rule, amount, limit: rule.limit, ...counterOf(rule.key, rule.period, nowMs) });
  }
  return charges;
}

export function slotsOf(rules: readonly Rule[]): RuledSlot[] {
  return rules.flatMap((rule) =>
    rule.sort === 'concurrency' ? [{ rule, key: rule.key, limit: rule.limit }] : [],
  );
}

function totalOf({ prompt, answer }: TokenEstimate): number {
  return prompt + answer;
}

function toTokens(count: number): number {
  return Math.min(MAX_TOKENS, Math.max(0, Math.ceil(count)));
}

/** Tokens that are to be paid for; undefined: nothing was had, and nothing is to be paid. */
export function spentTokens(
  { error, usage, seenTokens }: Settlement,
  estimate: TokenEstimate,
): number | undefined {
  if (usage) return toTokens(usage.prompt + usage.completion);
  if (seenTokens > 0) return toTokens(estimate.prompt + seenTokens);
  return error ? undefined : toTokens(totalOf(estimate));
}

/**
 * `levels`: as they were when the charges were taken. A budget that is over takes no late
 * charges; a minute does, so that a long answer cannot leave its tokens unpaid.
 */
export function correctionsOf(
  charges: readonly RuledCharge[],
  levels: readonly Level[],
  spent: number | undefined,
): Correction[] {
  const corrections: Correction[] = [];
  for (const [i, { rule, key, amount, windowMs }] of charges.entries()) {
    const actual = spent === undefined ? 0 : rule.sort === 'requests' ? amount : spent;
    if (actual === amount) continue;
    corrections.push({
      key,
      amount: actual - amount,
      window: levels[i]?.window ?? 0,
      windowMs: rule.period === 'minute' ? windowMs : 0,
    });
  }
  return corrections;
}
