/** Keys as a person at a terminal reads them, and as a script does. Never a hash. */

import type { FileKey } from '../../config/schema/auth.ts';
import type { JsonObject } from '../../core/json.ts';
import { stateOf } from './edits.ts';

export function toTable(keys: readonly FileKey[], nowMs: number): string {
  const rows = keys.map((key) => [
    key.name,
    key.id,
    describeState(key, nowMs),
    describeModels(key),
    describeLimits(key),
    key.expires ?? 'never',
  ]);
  return align([['NAME', 'ID', 'STATE', 'MODELS', 'LIMITS', 'EXPIRES'], ...rows]);
}

/** For `--json`. */
export function toPublic(key: FileKey, nowMs: number): JsonObject {
  const { previous = [] } = key;
  const shown = Object.entries(key).filter(([member]) => member !== 'hash' && member !== 'previous');
  const stillGood = previous.map(({ expires }) => expires).filter((expires) => Date.parse(expires) > nowMs);
  return { ...Object.fromEntries(shown), state: stateOf(key, nowMs), previousUntil: stillGood };
}

/** What a new key is good for. */
export function describeKey(key: FileKey): string {
  return align([
    ['', 'Models', describeModels(key)],
    ['', 'Limits', describeLimits(key)],
    ['', 'Expires', key.expires ?? 'never'],
    ...(key.admin === true ? [['', 'Rights', "the operator's endpoints too"]] : []),
  ]);
}

function describeState(key: FileKey, nowMs: number): string {
  const state = stateOf(key, nowMs);
  const isReplacedOneGood = key.previous?.some(({ expires }) => Date.parse(expires) > nowMs) ?? false;
  return [state, key.admin === true && 'admin', isReplacedOneGood && state === 'active' && 'old key too']
    .filter((word) => word !== false)
    .join(', ');
}

function describeModels({ models }: FileKey): string {
  return models === undefined ? 'all' : models.length === 0 ? 'none' : models.join(', ');
}

const LIMIT_WORDS = {
  requestsPerMinute: 'requests a minute',
  tokensPerMinute: 'tokens a minute',
  concurrency: 'at the same time',
  tokensPerDay: 'tokens a day',
  tokensPerMonth: 'tokens a month',
} as const;

function describeLimits({ limits, modelLimits = [] }: FileKey): string {
  const own = Object.entries(LIMIT_WORDS).flatMap(([name, words]) => {
    const limit = limits?.[name as keyof typeof LIMIT_WORDS];
    return limit === undefined ? [] : [limit === 0 ? `any ${words}` : `${String(limit)} ${words}`];
  });
  const more = modelLimits.length === 0 ? [] : ['and more for some models'];
  return [...own, ...more].join(', ') || 'those of auth.limits';
}

/** Columns two spaces apart; the last one is not filled up. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, i) => Math.max(cell.length, all[i] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
