/** The gateway's numbers for Prometheus. Names and labels are a contract; docs/operations.md lists them. */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createClusterRender } from './cluster-metrics.ts';
import { isWorker } from './cluster.ts';
import { createLimitMetrics, type LimitMetrics } from './metrics/limits.ts';
import type { AskAll } from '../core/workers.ts';
import type { ActiveExchange, ExchangeRecord, Meter, StreamStatus } from '../core/exchange.ts';
import { CIRCUIT_STATES, type BackendStatus } from '../core/fleet.ts';

/** What was passed on raw is in the numbers of HTTP requests only. */
export interface Metrics extends Omit<Meter, 'passed'>, LimitMetrics {
  reloaded(isApplied: boolean): void;
  render(): Promise<{ contentType: string; body: string }>;
  /** Streams of this process that have ended, by how. */
  streamTotals(): Promise<Record<StreamStatus, number>>;
}

export interface MetricSources {
  readonly status: () => readonly BackendStatus[];
  readonly active: () => Iterable<ActiveExchange>;
  readonly isDraining: () => boolean;
  /** undefined where no other machine keeps the limits of clients. */
  readonly isLimitStoreUp: (() => boolean) | undefined;
  readonly askAll: AskAll;
}

const SECONDS_PER_MS = 0.001;
/** Streams last to minutes. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** As the GenAI conventions of OpenTelemetry have them. */
const FIRST_TOKEN_BUCKETS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300,
];
const PER_TOKEN_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5];
const OVERHEAD_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createMetrics({
  status,
  active,
  isDraining,
  isLimitStoreUp,
  askAll,
}: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const renderAll = isWorker ? createClusterRender(registry, askAll) : () => registry.metrics();
  collectDefaultMetrics({ register: registry });

  const byRequest = ['method', 'route', 'status'] as const;
  const byTarget = ['model', 'backend'] as const;
  const requests = new Counter({
    name: 'http_requests_total',
    help: 'HTTP requests answered.',
    labelNames: byRequest,
    registers,
  });
  const requestSeconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the request to the last byte of its answer.',
    labelNames: byRequest,
    buckets: DURATION_BUCKETS,
    registers,
  });
  const streams = new Counter({
    name: 'ai_gateway_streams_total',
    help: 'Streams by how they ended.',
    labelNames: ['status'],
    registers,
  });
  const tokens = new Counter({
    name: 'ai_tokens_processed_total',
    help: 'Tokens as the backends counted them; cached is part of input, reasoning of output.',
    labelNames: ['type', ...byTarget],
    registers,
  });
  const inferenceSeconds = new Histogram({
    name: 'ai_model_inference_duration_seconds',
    help: 'From sending a request to a backend to the end of its answer.',
    labelNames: byTarget,
    buckets: DURATION_BUCKETS,
    registers,
  });
  const firstTokenSeconds = new Histogram({
    name: 'ai_gateway_time_to_first_token_seconds',
    help: 'From the request of a client to the first piece of its answer.',
    labelNames: byTarget,
    buckets: FIRST_TOKEN_BUCKETS,
    registers,
  });
  const perTokenSeconds = new Histogram({
    name: 'ai_gateway_time_per_output_token_seconds',
    help: 'Mean time between two tokens of a stream.',
    labelNames: byTarget,
    buckets: PER_TOKEN_BUCKETS,
    registers,
  });
  const overheadSeconds = new Histogram({
    name: 'ai_gateway_overhead_seconds',
    help: "The gateway's own share of the time to the first token.",
    buckets: OVERHEAD_BUCKETS,
    registers,
  });
  new Gauge({
    name: 'ai_gateway_active_streams',
    help: 'Streams going on now.',
    labelNames: byTarget,
    registers,
    collect() {
      this.reset();
      for (const { exchange, model, backend, isRaw = false } of active())
        if (exchange.isStream && !isRaw) this.inc({ model, backend });
    },
  });
  new Gauge({
    name: 'ai_gateway_backend_up',
    help: '1 when the last probe of the backend succeeded.',
    labelNames: ['backend'],
    // Every worker probes for itself; they are not to be added up.
    aggregator: 'max',
    registers,
    collect() {
      this.reset();
      for (const { backend, isUp } of status()) this.set({ backend: backend.name }, isUp ? 1 : 0);
    },
  });
  new Gauge({
    name: 'ai_gateway_backend_in_flight',
    help: 'Leases now held on the backend.',
    labelNames: ['backend'],
    registers,
    collect() {
      this.reset();
      for (const { backend, inFlight } of status()) this.set({ backend: backend.name }, inFlight);
    },
  });

  const failovers = new Counter({
    name: 'ai_gateway_failovers_total',
    help: 'Attempts that failed on this backend and were made up for by a later one.',
    labelNames: ['backend', 'reason'],
    registers,
  });
  const retries = new Counter({
    name: 'ai_gateway_retries_total',
    help: 'Further attempts that were made, or refused because the retry budget was spent.',
    labelNames: ['result'],
    registers,
  });
  const rescues = new Counter({
    name: 'ai_gateway_rescues_total',
    help: 'Streams that broke off in the middle and were gone on with by another backend.',
    registers,
  });
  const queueSeconds = new Histogram({
    name: 'ai_gateway_queue_wait_seconds',
    help: 'How long those requests waited for a slot that found none free.',
    buckets: FIRST_TOKEN_BUCKETS,
    registers,
  });
  const reloads = new Counter({
    name: 'ai_gateway_config_reloads_total',
    help: 'Configurations that were taken over, or refused because of a fault.',
    labelNames: ['result'],
    registers,
  });
  new Gauge({
    name: 'ai_gateway_circuit_state',
    help: '0 closed, 1 half-open, 2 open.',
    labelNames: ['backend'],
    aggregator: 'max',
    registers,
    collect() {
      this.reset();
      for (const { backend, circuit } of status())
        this.set({ backend: backend.name }, CIRCUIT_STATES.indexOf(circuit));
    },
  });
  new Gauge({
    name: 'ai_gateway_queue_depth',
    help: 'Requests that wait for a slot of the backend; one that waits for several counts for each.',
    labelNames: ['backend'],
    registers,
    collect() {
      this.reset();
      for (const { backend, queued } of status()) this.set({ backend: backend.name }, queued);
    },
  });
  new Gauge({
    name: 'ai_gateway_draining',
    help: '1 from the order to stop on.',
    aggregator: 'max',
    registers,
    collect() {
      this.set(isDraining() ? 1 : 0);
    },
  });

  function countAttempts(record: ExchangeRecord): void {
    for (const { backend, reason } of record.failovers) failovers.inc({ backend, reason });
    if (record.failovers.length > 0) retries.inc({ result: 'made' }, record.failovers.length);
    if (record.wasRetryRefused) retries.inc({ result: 'refused' });
    if (record.rescues > 0) rescues.inc(record.rescues);
    if (record.queueMs !== undefined) queueSeconds.observe(record.queueMs * SECONDS_PER_MS);
  }

  function countTokens({ model, backend, usage }: ExchangeRecord): void {
    if (!usage) return;
    tokens.inc({ type: 'input', model, backend }, usage.prompt);
    tokens.inc({ type: 'output', model, backend }, usage.completion);
    if (usage.cached > 0) tokens.inc({ type: 'cached', model, backend }, usage.cached);
    if (usage.reasoning > 0) tokens.inc({ type: 'reasoning', model, backend }, usage.reasoning);
  }

  return {
    ...createLimitMetrics(registers, isLimitStoreUp),
    request(method, route, code, durationMs) {
      const labels = { method: METHODS.has(method) ? method : 'other', route, status: String(code) };
      requests.inc(labels);
      requestSeconds.observe(labels, durationMs * SECONDS_PER_MS);
    },
    exchange(record) {
      const { model, backend, ttftMs, inferenceMs, overheadMs, usage } = record;
      const target = { model, backend };
      if (record.isStream && record.status !== 'refused') streams.inc({ status: record.status });
      countTokens(record);
      countAttempts(record);
      if (inferenceMs !== undefined) inferenceSeconds.observe(target, inferenceMs * SECONDS_PER_MS);
      if (overheadMs !== undefined) overheadSeconds.observe(overheadMs * SECONDS_PER_MS);
      if (!record.isStream || ttftMs === undefined) return;
      firstTokenSeconds.observe(target, ttftMs * SECONDS_PER_MS);
      if (usage && usage.completion > 1) {
        const betweenMs = (record.durationMs - ttftMs) / (usage.completion - 1);
        perTokenSeconds.observe(target, betweenMs * SECONDS_PER_MS);
      }
    },
    reloaded(isApplied) {
      reloads.inc({ result: isApplied ? 'applied' : 'refused' });
    },
    async streamTotals() {
      const totals = { completed: 0, client_aborted: 0, upstream_error: 0, timeout: 0, shutdown: 0 };
      for (const { labels, value } of (await streams.get()).values) {
        totals[labels.status as StreamStatus] = value;
      }
      return totals;
    },
    async render() {
      return { contentType: registry.contentType, body: await renderAll() };
    },
  };
}
