/** The numbers of what it took to serve an exchange: waiting, further attempts, rescues. */

import { Counter, Histogram, type Registry } from 'prom-client';
import { FIRST_TOKEN_BUCKETS, SECONDS_PER_MS } from './buckets.ts';
import type { CountExchange } from './exchanges.ts';

export function createAttemptMetrics(registers: Registry[]): CountExchange {
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
  for (const result of ['made', 'refused']) retries.inc({ result }, 0);
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
  return (record) => {
    for (const { backend, reason } of record.failovers) failovers.inc({ backend, reason });
    if (record.failovers.length > 0) retries.inc({ result: 'made' }, record.failovers.length);
    if (record.wasRetryRefused) retries.inc({ result: 'refused' });
    if (record.rescues > 0) rescues.inc(record.rescues);
    if (record.queueMs !== undefined) queueSeconds.observe(record.queueMs * SECONDS_PER_MS);
  };
}
