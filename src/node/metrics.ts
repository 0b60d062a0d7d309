/** The gateway's numbers for Prometheus. Names and labels are a contract; docs/operations.md lists them. */

import { Registry } from 'prom-client';
import type { Client } from '../core/client.ts';
import type { ActiveExchange, Meter, StreamStatus } from '../core/exchange.ts';
import type { BackendStatus } from '../core/fleet.ts';
import type { AskAll } from '../core/workers.ts';
import { createClusterRender } from './cluster-metrics.ts';
import { isWorker } from './cluster.ts';
import { createAttemptMetrics } from './metrics/attempts.ts';
import { createBackendMetrics } from './metrics/backends.ts';
import { createExchangeMetrics } from './metrics/exchanges.ts';
import { createHttpMetrics } from './metrics/http.ts';
import { createKeyMetrics } from './metrics/keys.ts';
import { createLimitMetrics, type LimitMetrics } from './metrics/limits.ts';
import { createProcessMetrics, type ProcessMetrics } from './metrics/process.ts';
import { createStreamMetrics } from './metrics/streams.ts';

/** What was passed on raw is in the numbers of HTTP requests only. */
export interface Metrics extends Omit<Meter, 'passed'>, LimitMetrics, ProcessMetrics {
  render(): Promise<{ contentType: string; body: string }>;
  /** Streams of this process that have ended, by how. */
  streamTotals(): Promise<Record<StreamStatus, number>>;
}

export interface MetricSources {
  readonly status: () => readonly BackendStatus[];
  readonly active: () => Iterable<ActiveExchange>;
  /** Those of the configuration that holds. */
  readonly keys: () => readonly Client[];
  readonly isDraining: () => boolean;
  /** undefined where no other machine keeps the limits of clients. */
  readonly isLimitStoreUp: (() => boolean) | undefined;
  readonly askAll: AskAll;
  /** Of the program. */
  readonly version: string;
}

export function createMetrics(sources: MetricSources): Metrics {
  const { status, active, keys, isDraining, isLimitStoreUp, askAll, version } = sources;
  const registry = new Registry();
  const registers = [registry];
  const renderAll = isWorker ? createClusterRender(registry, askAll) : () => registry.metrics();
  const { reloaded } = createProcessMetrics(registry, version, isDraining);
  const { request } = createHttpMetrics(registers);
  const { limited } = createLimitMetrics(registers, isLimitStoreUp);
  const streams = createStreamMetrics(registers, active);
  const countings = [
    createExchangeMetrics(registers),
    createAttemptMetrics(registers),
    createKeyMetrics(registers, keys),
  ];
  createBackendMetrics(registers, status);

  return {
    request,
    limited,
    reloaded,
    exchange(record) {
      if (record.isStream && record.status !== 'refused') streams.ended(record.status);
      for (const count of countings) count(record);
    },
    streamTotals: streams.totals,
    async render() {
      return { contentType: registry.contentType, body: await renderAll() };
    },
  };
}
