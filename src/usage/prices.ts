/** What rows of usage cost. */

import type { Price, Prices, UsageRow } from '../core/usage.ts';

const PRICED_TOKENS = 1_000_000;

/** undefined for what has no price. */
export function costOf(
  row: UsageRow,
  { models }: Prices,
  isMatch: (pattern: string, name: string) => boolean,
): number | undefined {
  const names = [row.model, `${row.backend}/${row.model}`];
  const found = Object.entries(models).find(([pattern]) => names.some((name) => isMatch(pattern, name)));
  return found && priceOf(row, found[1]);
}

function priceOf({ inputTokens, cachedTokens, outputTokens }: UsageRow, price: Price): number {
  const { input, cached = input, output } = price;
  return (
    ((inputTokens - cachedTokens) * input + cachedTokens * cached + outputTokens * output) / PRICED_TOKENS
  );
}
