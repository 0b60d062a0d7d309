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
    help: 'From the request to the last byte of its answer; without 4xx.',
    labelNames,
    buckets: DURATION_BUCKETS,
    registers,
  });
  return {
    request(method, route, code, durationMs) {
      // Those that a route does not have are the client's invention as well.
      const isKnown = METHODS.has(method) && code !== 405;
      const labels = { method: isKnown ? method : 'other', route, status: String(code) };
      requests.inc(labels);
      // Clients get refused at will, in many ways: each would have a histogram of its own.
      if (code < 400 || code >= 500) seconds.observe(labels, durationMs * SECONDS_PER_MS);
    },
  };
}
