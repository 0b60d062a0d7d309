/** Rows of usage → what was asked: filtered, grouped, with totals and what it costs. */

import type { Prices, UsageDimension, UsageLine, UsageQuery, UsageReport, UsageRow } from '../core/usage.ts';
import { sumOf } from '../core/usage-rows.ts';
import { costOf } from './prices.ts';

type IsMatch = (pattern: string, name: string) => boolean;

interface Priced {
  readonly row: UsageRow;
  readonly cost: number | undefined;
}

/** Money is added up as fractions; what binary fractions leave over is nobody's money. */
const COST_DIGITS = 9;

const EMPTY: UsageRow = {
  day: '',
  keyId: '',
  key: '',
  model: '',
  backend: '',
  requests: 0,
  errors: {},
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  reasoningTokens: 0,
};

export function reportOf(
  rows: readonly UsageRow[],
  query: UsageQuery,
  prices: Prices,
  isMatch: IsMatch,
): UsageReport {
  const { groupBy } = query;
  const groups = new Map<string, Priced>();
  let total: Priced = { row: EMPTY, cost: undefined };
  for (const row of rows) {
    if (!isWanted(row, query, isMatch)) continue;
    const priced = { row, cost: costOf(row, prices, isMatch) };
    const id = JSON.stringify(groupBy.map((dimension) => valueOf(row, dimension)));
    const known = groups.get(id);
    groups.set(id, known ? add(known, priced) : priced);
    total = add(total, priced);
  }
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    groupBy,
    lines: sorted.map(([, priced]) => toLine(priced, groupBy)),
    totals: toLine(total, []),
    currency: Object.keys(prices.models).length === 0 ? undefined : prices.currency,
  };
}

function isWanted(row: UsageRow, { from, to, key, model, backend }: UsageQuery, isMatch: IsMatch): boolean {
  const fits = (pattern: string | undefined, ...names: readonly string[]): boolean =>
    pattern === undefined || names.some((name) => isMatch(pattern, name));
  return (
    (from === undefined || row.day >= from) &&
    (to === undefined || row.day <= to) &&
    fits(key, row.keyId, row.key) &&
    fits(model, row.model) &&
    fits(backend, row.backend)
  );
}

/** Keys are told apart by what they are counted under: two may have one name. */
function valueOf(row: UsageRow, dimension: UsageDimension): string {
  return dimension === 'key' ? row.keyId : row[dimension];
}

function add(a: Priced, b: Priced): Priced {
  const cost = a.cost === undefined ? b.cost : a.cost + (b.cost ?? 0);
  return { row: sumOf(a.row, b.row), cost };
}

function toLine({ row, cost }: Priced, groupBy: readonly UsageDimension[]): UsageLine {
  const { day, keyId, key, model, backend, ...counts } = row;
  return {
    ...(groupBy.includes('day') && { day }),
    ...(groupBy.includes('key') && { keyId, key }),
    ...(groupBy.includes('model') && { model }),
    ...(groupBy.includes('backend') && { backend }),
    ...counts,
    cost: cost === undefined ? null : Number(cost.toFixed(COST_DIGITS)),
  };
}
