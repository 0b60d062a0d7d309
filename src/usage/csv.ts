/** A usage report as CSV (RFC 4180), for spreadsheets. */

import type { UsageDimension, UsageLine, UsageReport } from '../core/usage.ts';

const COUNTS = [
  'requests',
  'errors',
  'inputTokens',
  'outputTokens',
  'cachedTokens',
  'reasoningTokens',
  'cost',
  'currency',
] as const;

/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** One line for each of the report; no totals, which a spreadsheet would add up once more. */
export function toCsv({ groupBy, lines, currency = '' }: UsageReport): string {
  const names = groupBy.flatMap((dimension) => (dimension === 'key' ? ['key', 'keyId'] : [dimension]));
  const head = [...names, ...COUNTS];
  const body = lines.map((line) => [
    ...groupBy.flatMap((each) => textsOf(line, each)),
    ...countsOf(line, currency),
  ]);
  return [head, ...body].map((cells) => `${cells.join(',')}\r\n`).join('');
}

function textsOf(line: UsageLine, dimension: UsageDimension): string[] {
  return dimension === 'key'
    ? [toCell(line.key ?? ''), toCell(line.keyId ?? '')]
    : [toCell(line[dimension] ?? '')];
}

function countsOf(line: UsageLine, currency: string): string[] {
  const errors = Object.values(line.errors).reduce((sum, count) => sum + count, 0);
  const { requests, inputTokens, outputTokens, cachedTokens, reasoningTokens, cost } = line;
  const counts = [requests, errors, inputTokens, outputTokens, cachedTokens, reasoningTokens];
  return [...counts.map(String), cost === null ? '' : String(cost), toCell(currency)];
}

function toCell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
