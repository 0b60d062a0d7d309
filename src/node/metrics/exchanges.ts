/** The numbers of exchanges: what they took, what they gave, and what they failed of. */

import { Counter, Histogram, type Registry } from 'prom-client';
import type { ExchangeRecord } from '../../core/exchange.ts';
import {
  DURATION_BUCKETS,
  FIRST_TOKEN_BUCKETS,
  OVERHEAD_BUCKETS,
  PER_TOKEN_BUCKETS,
  SECONDS_PER_MS,
} from './buckets.ts';

/** Counts one exchange that is over. */
export type CountExchange = (record: ExchangeRecord) => void;

/** How far an exchange was when its client left: no backend had it yet, or nothing was sent yet, or some was. */
const ABORT_STAGES = ['waiting', 'first_token', 'answer'] as const;

export function createExchangeMetrics(registers: Registry[]): CountExchange {
  const countTokens = createTokenMetrics(registers);
  const countTimes = createTimeMetrics(registers);
  const countFailure = createFailureMetrics(registers);
  return (record) => {
    countTokens(record);
    countTimes(record);
    countFailure(record);
  };
}

function createTokenMetrics(registers: Registry[]): CountExchange {
  const tokens = new Counter({
    name: 'ai_tokens_processed_total',
    help: 'Tokens as the backends counted them; cached is part of input, reasoning of output.',
    labelNames: ['type', 'model', 'backend'],
    registers,
  });
  return ({ model, backend, usage }) => {
    if (!usage) return;
    tokens.inc({ type: 'input', model, backend }, usage.prompt);
    tokens.inc({ type: 'output', model, backend }, usage.completion);
    if (usage.cached > 0) tokens.inc({ type: 'cached', model, backend }, usage.cached);
    if (usage.reasoning > 0) tokens.inc({ type: 'reasoning', model, backend }, usage.reasoning);
  };
}

function createTimeMetrics(registers: Registry[]): CountExchange {
  const labelNames = ['model', 'backend'] as const;
  const inferenceSeconds = new Histogram({
    name: 'ai_model_inference_duration_seconds',
    help: 'From sending a request to a backend to the end of its answer.',
    labelNames,
    buckets: DURATION_BUCKETS,
    registers,
  });
  const firstTokenSeconds = new Histogram({
    name: 'ai_gateway_time_to_first_token_seconds',
    help: 'From the request of a client to the first piece of its answer.',
    labelNames,
    buckets: FIRST_TOKEN_BUCKETS,
    registers,
  });
  const perTokenSeconds = new Histogram({
    name: 'ai_gateway_time_per_output_token_seconds',
    help: 'Mean time between two tokens of a stream.',
    labelNames,
    buckets: PER_TOKEN_BUCKETS,
    registers,
  });
  const overheadSeconds = new Histogram({
    name: 'ai_gateway_overhead_seconds',
    help: "The gateway's own share of the time to the first token.",
    buckets: OVERHEAD_BUCKETS,
    registers,
  });
  return ({ model, backend, isStream, durationMs, ttftMs, inferenceMs, overheadMs, usage }) => {
    const target = { model, backend };
    if (inferenceMs !== undefined) inferenceSeconds.observe(target, inferenceMs * SECONDS_PER_MS);
    if (overheadMs !== undefined) overheadSeconds.observe(overheadMs * SECONDS_PER_MS);
    if (!isStream || ttftMs === undefined) return;
    firstTokenSeconds.observe(target, ttftMs * SECONDS_PER_MS);
    if (!usage || usage.completion <= 1) return;
    perTokenSeconds.observe(target, ((durationMs - ttftMs) / (usage.completion - 1)) * SECONDS_PER_MS);
  };
}

function createFailureMetrics(registers: Registry[]): CountExchange {
  const errors = new Counter({
    name: 'ai_gateway_errors_total',
    help: 'Exchanges that failed, before or within their answer; status is the one of the reason.',
    labelNames: ['reason', 'status', 'backend'],
    registers,
  });
  const aborts = new Counter({
    name: 'ai_gateway_client_aborts_total',
    help: 'Exchanges whose client left, by how far they were.',
    labelNames: ['stage'],
    registers,
  });
  for (const stage of ABORT_STAGES) aborts.inc({ stage }, 0);
  return (record) => {
    const { error, backend, status } = record;
    if (error) errors.inc({ reason: error.reason, status: String(error.status), backend });
    if (status === 'client_aborted') aborts.inc({ stage: stageOf(record) });
  };
}

function stageOf({ attempts, ttftMs }: ExchangeRecord): (typeof ABORT_STAGES)[number] {
  if (attempts === 0) return 'waiting';
  return ttftMs === undefined ? 'first_token' : 'answer';
}
