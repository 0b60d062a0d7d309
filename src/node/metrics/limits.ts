/** The numbers of limits. */

import { Counter, Gauge, type Registry } from 'prom-client';

const SORTS = ['requests', 'tokens', 'concurrency', 'budget'];

export interface LimitMetrics {
  /** Somebody was refused; `limit`: requests, tokens, concurrency or budget. */
  limited(limit: string): void;
}

/** `isStoreUp`: undefined where no other machine keeps the limits. */
export function createLimitMetrics(
  registers: Registry[],
  isStoreUp: (() => boolean) | undefined,
): LimitMetrics {
  const limited = new Counter({
    name: 'ai_gateway_rate_limited_total',
    help: 'Requests that a limit of a client has refused.',
    labelNames: ['limit'],
    registers,
  });
  for (const limit of SORTS) limited.inc({ limit }, 0);
  if (isStoreUp) {
    new Gauge({
      name: 'ai_gateway_limits_store_up',
      help: '1 while Redis keeps the limits, 0 while it is gone.',
      // A single worker that cannot reach it counts for itself.
      aggregator: 'min',
      registers,
      collect() {
        this.set(isStoreUp() ? 1 : 0);
      },
    });
  }
  return {
    limited(limit) {
      limited.inc({ limit });
    },
  };
}
