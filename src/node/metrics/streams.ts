/** The numbers of streams: how many go on, and how the others ended. */

import { Counter, Gauge, type Registry } from 'prom-client';
import { STREAM_STATUSES, type ActiveExchange, type StreamStatus } from '../../core/exchange.ts';

export interface StreamMetrics {
  ended(status: StreamStatus): void;
  /** Streams of this process that have ended, by how. */
  totals(): Promise<Record<StreamStatus, number>>;
}

export function createStreamMetrics(
  registers: Registry[],
  active: () => Iterable<ActiveExchange>,
): StreamMetrics {
  const streams = new Counter({
    name: 'ai_gateway_streams_total',
    help: 'Streams by how they ended.',
    labelNames: ['status'],
    registers,
  });
  // What has not happened yet is 0: a rate needs a value before the first.
  for (const status of STREAM_STATUSES) streams.inc({ status }, 0);
  new Gauge({
    name: 'ai_gateway_active_streams',
    help: 'Streams going on now.',
    labelNames: ['model', 'backend'],
    registers,
    collect() {
      this.reset();
      for (const { exchange, model, backend, isRaw = false } of active())
        if (exchange.isStream && !isRaw) this.inc({ model, backend });
    },
  });
  return {
    ended(status) {
      streams.inc({ status });
    },
    async totals() {
      const totals = { completed: 0, client_aborted: 0, upstream_error: 0, timeout: 0, shutdown: 0 };
      for (const { labels, value } of (await streams.get()).values) {
        totals[labels.status as StreamStatus] = value;
      }
      return totals;
    },
  };
}
