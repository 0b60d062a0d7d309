/** The numbers of HTTP requests, whatever they were for. */

import { Counter, Histogram, type Registry } from 'prom-client';
import type { Meter } from '../../core/exchange.ts';
import { DURATION_BUCKETS, SECONDS_PER_MS } from './buckets.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createHttpMetrics(registers: Registry[]): Pick<Meter, 'request'> {
  const labelNames = ['method', 'route', 'status'] as const;
  const requests = new Counter({
    name: 'http_requests_total',
    help: 'HTTP requests answered.',
    labelNames,
    registers,
  });
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the request to the last byte of its answer.',
    labelNames,
    buckets: DURATION_BUCKETS,
    registers,
  });
  return {
    request(method, route, code, durationMs) {
      const labels = { method: METHODS.has(method) ? method : 'other', route, status: String(code) };
      requests.inc(labels);
      seconds.observe(labels, durationMs * SECONDS_PER_MS);
    },
  };
}
