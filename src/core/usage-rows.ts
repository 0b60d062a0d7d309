/** Rows of usage: added up, one for each key, model, backend and day; and as lines of JSON, as files keep them. */

import { isJsonObject, parseJson } from './json.ts';
import type { UsageRow } from './usage.ts';

export interface Sums {
  readonly size: number;
  add(row: UsageRow): void;
  rows(): UsageRow[];
}

/** Names of backends that were found by DNS come and go; beyond this they are told no more. */
const MAX_ROWS = 100_000;
const OTHER = 'other';

export function createSums(maxRows = MAX_ROWS): Sums {
  const sums = new Map<string, UsageRow>();

  function add(row: UsageRow): void {
    const id = idOf(row);
    const known = sums.get(id);
    if (known) sums.set(id, sumOf(known, row));
    else if (sums.size < maxRows || isOther(row)) sums.set(id, row);
    else add({ ...row, model: OTHER, backend: OTHER });
  }

  return {
    get size() {
      return sums.size;
    },
    add,
    rows: () => [...sums.values()],
  };
}

function idOf({ day, keyId, model, backend }: UsageRow): string {
  return JSON.stringify([day, keyId, model, backend]);
}

function isOther({ model, backend }: UsageRow): boolean {
  return model === OTHER && backend === OTHER;
}

/** The dimensions, and the name of the key, are those of the second. */
export function sumOf(a: UsageRow, b: UsageRow): UsageRow {
  return {
    ...b,
    requests: a.requests + b.requests,
    errors: sumErrors(a.errors, b.errors),
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  };
}

type Errors = UsageRow['errors'];

function sumErrors(a: Errors, b: Errors): Errors {
  const sums = new Map(Object.entries(a));
  for (const [reason, count] of Object.entries(b)) sums.set(reason, (sums.get(reason) ?? 0) + count);
  return Object.fromEntries(sums);
}

const DAY_LENGTH = '2026-08-21'.length;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** Without a line end, and with none inside. */
export function printRow(row: UsageRow): string {
  return JSON.stringify(row);
}

/** undefined for what is no row: a line that was torn off when the machine went down, for one. */
export function readRow(line: string): UsageRow | undefined {
  const row = parseJson(line);
  if (!isJsonObject(row) || !isText(row.day) || !DAY.test(row.day)) return undefined;
  const { day, keyId, key, model, backend } = row;
  if (!isText(keyId) || !isText(key) || !isText(model) || !isText(backend)) return undefined;
  const { requests, inputTokens, outputTokens, cachedTokens, reasoningTokens } = row;
  if (!isCount(requests) || !isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  if (!isCount(cachedTokens) || !isCount(reasoningTokens)) return undefined;
  const errors = Object.entries(isJsonObject(row.errors) ? row.errors : {}).filter(isCountedError);
  return {
    day,
    keyId,
    key,
    model,
    backend,
    requests,
    errors: Object.fromEntries(errors),
    inputTokens,
    outputTokens,
    cachedTokens,
    reasoningTokens,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isCountedError(entry: [string, unknown]): entry is [string, number] {
  return isCount(entry[1]);
}

/** The day in UTC, `2026-08-21`, of milliseconds since 1970. */
export function dayOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, DAY_LENGTH);
}
