/** The state of the backends, read from the pool whenever somebody asks for the metrics. */

import { Gauge, type Registry } from 'prom-client';
import { CIRCUIT_STATES, type BackendLoad, type BackendStatus } from '../../core/fleet.ts';

interface BackendGauge {
  readonly name: string;
  readonly help: string;
  /**
   * Of all workers: what they hold is added up. What each of them was told by the backend, or thinks
   * of it, is not.
   */
  readonly aggregator: 'sum' | 'max';
  /** undefined: the backend has no such number. */
  valueOf(status: BackendStatus): number | undefined;
}

const loadOf =
  (read: (load: BackendLoad) => number | undefined): BackendGauge['valueOf'] =>
  ({ isUp, discovery }) =>
    // What a backend that is down has said last is no news.
    isUp && discovery?.load ? read(discovery.load) : undefined;

const GAUGES: readonly BackendGauge[] = [
  {
    name: 'ai_gateway_backend_up',
    help: '1 when the last probe of the backend succeeded.',
    aggregator: 'max',
    valueOf: ({ isUp }) => (isUp ? 1 : 0),
  },
  {
    name: 'ai_gateway_backend_drained',
    help: '1 while the operator keeps requests from the backend.',
    aggregator: 'max',
    valueOf: ({ isDrained }) => (isDrained ? 1 : 0),
  },
  {
    name: 'ai_gateway_backend_in_flight',
    help: 'Leases now held on the backend.',
    aggregator: 'sum',
    valueOf: ({ inFlight }) => inFlight,
  },
  {
    name: 'ai_gateway_backend_slots',
    help: 'Leases that the backend may have at most; absent when there is no limit.',
    aggregator: 'sum',
    valueOf: ({ backend: { maxConcurrency } }) =>
      Number.isFinite(maxConcurrency) ? maxConcurrency : undefined,
  },
  {
    name: 'ai_gateway_queue_depth',
    help: 'Requests that wait for a slot of the backend; one that waits for several counts for each.',
    aggregator: 'sum',
    valueOf: ({ queued }) => queued,
  },
  {
    name: 'ai_gateway_circuit_state',
    help: '0 closed, 1 half-open, 2 open.',
    aggregator: 'max',
    valueOf: ({ circuit }) => CIRCUIT_STATES.indexOf(circuit),
  },
  {
    name: 'ai_gateway_backend_resident_models',
    help: 'Models that the backend holds in memory; absent when it does not tell.',
    aggregator: 'max',
    valueOf: ({ isUp, discovery }) => (isUp ? discovery?.resident?.length : undefined),
  },
  {
    name: 'ai_gateway_backend_running_requests',
    help: 'Requests that the backend says it works on, whoever sent them; absent when it does not tell.',
    aggregator: 'max',
    valueOf: loadOf(({ running }) => running),
  },
  {
    name: 'ai_gateway_backend_waiting_requests',
    help: 'Requests that the backend says wait inside of it; absent when it does not tell.',
    aggregator: 'max',
    valueOf: loadOf(({ waiting }) => waiting),
  },
  {
    name: 'ai_gateway_backend_cache_usage_ratio',
    help: 'How full the backend says its key-value cache is, 0 to 1; absent when it does not tell.',
    aggregator: 'max',
    valueOf: loadOf(({ cacheUsage }) => cacheUsage),
  },
];

export function createBackendMetrics(registers: Registry[], status: () => readonly BackendStatus[]): void {
  for (const { name, help, aggregator, valueOf } of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ['backend'],
      aggregator,
      registers,
      collect() {
        this.reset();
        for (const each of status()) {
          const value = valueOf(each);
          if (value !== undefined) this.set({ backend: each.backend.name }, value);
        }
      },
    });
  }
}
