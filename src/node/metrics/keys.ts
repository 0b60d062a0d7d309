/** The tokens of each key, and how many it may have. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Client } from '../../core/client.ts';
import type { CountExchange } from './exchanges.ts';

/**
 * Keys with a label of their own, in the life of a process: those that were used first. Keys come and go in
 * a key file, and a label that was given once stays. All others are `other`.
 */
export const MAX_KEY_LABELS = 200;

/** `keys`: the configured ones. */
export function createKeyMetrics(registers: Registry[], keys: () => readonly Client[]): CountExchange {
  const labels = new Set<string>();
  const tokens = new Counter({
    name: 'ai_gateway_key_tokens_total',
    help: 'Tokens of a key, as the backends counted them; cached is part of input, reasoning of output.',
    labelNames: ['key', 'type'],
    registers,
  });
  new Gauge({
    name: 'ai_gateway_key_budget_tokens',
    help: 'Tokens that a key may have in a day or month; absent without such a limit, and before its first use.',
    labelNames: ['key', 'period'],
    // Every worker knows all keys, but not which of them the others have seen.
    aggregator: 'max',
    registers,
    collect() {
      this.reset();
      for (const { name, limits } of keys()) {
        if (!labels.has(name)) continue;
        if (limits.tokensPerDay > 0) this.set({ key: name, period: 'day' }, limits.tokensPerDay);
        if (limits.tokensPerMonth > 0) this.set({ key: name, period: 'month' }, limits.tokensPerMonth);
      }
    },
  });

  function labelOf(name: string): string {
    if (labels.size < MAX_KEY_LABELS) labels.add(name);
    return labels.has(name) ? name : 'other';
  }

  return ({ client, usage }) => {
    if (!usage) return;
    const key = labelOf(client);
    tokens.inc({ key, type: 'input' }, usage.prompt);
    tokens.inc({ key, type: 'output' }, usage.completion);
    if (usage.cached > 0) tokens.inc({ key, type: 'cached' }, usage.cached);
    if (usage.reasoning > 0) tokens.inc({ key, type: 'reasoning' }, usage.reasoning);
  };
}
