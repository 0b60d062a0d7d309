/** Rows of usage as tests need them. */

import type { UsageRow } from '../../src/core/usage.ts';

export function rowOf(more: Partial<UsageRow> = {}): UsageRow {
  return {
    day: '2026-08-21',
    keyId: 'default',
    key: 'default',
    model: 'm',
    backend: 'ollama',
    requests: 1,
    errors: {},
    inputTokens: 5,
    outputTokens: 3,
    cachedTokens: 0,
    reasoningTokens: 0,
    ...more,
  };
}

export function requestsOf(rows: readonly UsageRow[]): number {
  return rows.reduce((sum, { requests }) => sum + requests, 0);
}
