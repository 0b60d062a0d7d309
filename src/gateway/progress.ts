/** What is learned of an exchange on its way, and the record that is made of it at the end. */

import { isRequestFault, type GatewayError } from '../core/errors.ts';
import type { ActiveExchange, Exchange, ExchangeRecord, ExchangeStatus, Failover } from '../core/exchange.ts';
import type { Usage } from '../core/stream.ts';
import type { Milestones } from './pump.ts';

export interface Progress extends ActiveExchange, Milestones {
  model: string;
  backend: string;
  attempts: number;
  failovers: Failover[];
  wasRetryRefused: boolean;
  rescues: number;
  queueMs: number | undefined;
  sentMs: number | undefined;
  /** Writes to the client: about one for each token, and no fewer than there were. */
  seenTokens: number;
  usage: Usage | null;
}

export function createProgress(exchange: Exchange): Progress {
  return {
    exchange,
    model: 'other',
    backend: '',
    attempts: 0,
    failovers: [],
    wasRetryRefused: false,
    rescues: 0,
    queueMs: undefined,
    sentMs: undefined,
    firstTokenMs: undefined,
    firstWriteMs: undefined,
    seenTokens: 0,
    usage: null,
  };
}

/** The whole began with the first of its parts, and waited as long as the one that waited longest. */
export function addProgress(whole: Progress, part: Progress): void {
  whole.backend = part.backend;
  whole.attempts += part.attempts;
  whole.failovers.push(...part.failovers);
  whole.wasRetryRefused ||= part.wasRetryRefused;
  whole.rescues += part.rescues;
  whole.seenTokens += part.seenTokens;
  if (part.queueMs !== undefined) whole.queueMs = Math.max(whole.queueMs ?? 0, part.queueMs);
  whole.sentMs = earlier(whole.sentMs, part.sentMs);
  whole.firstTokenMs = earlier(whole.firstTokenMs, part.firstTokenMs);
  whole.firstWriteMs = earlier(whole.firstWriteMs, part.firstWriteMs);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

export function toRecord(progress: Progress, error: GatewayError | undefined, endMs: number): ExchangeRecord {
  const { exchange, sentMs, firstTokenMs, firstWriteMs } = progress;
  const { startedMs } = exchange;
  const wasSent = sentMs !== undefined;
  const wasHeard = firstTokenMs !== undefined && firstWriteMs !== undefined;
  return {
    requestId: exchange.id,
    client: exchange.client.name,
    keyId: exchange.client.keyId,
    model: progress.model,
    backend: progress.backend,
    isStream: exchange.isStream,
    status: toStatus(error, progress.attempts),
    error,
    attempts: progress.attempts,
    failovers: progress.failovers,
    wasRetryRefused: progress.wasRetryRefused,
    rescues: progress.rescues,
    queueMs: progress.queueMs,
    durationMs: endMs - startedMs,
    ttftMs: wasHeard ? firstWriteMs - startedMs : undefined,
    inferenceMs: wasSent ? endMs - sentMs : undefined,
    // An answer in one piece is held until its end, which is the backend's time and not ours.
    overheadMs:
      wasSent && wasHeard
        ? sentMs - startedMs - (progress.queueMs ?? 0) + (exchange.isStream ? firstWriteMs - firstTokenMs : 0)
        : undefined,
    usage: progress.usage,
    seenTokens: progress.seenTokens,
  };
}

/** `attempts`: backends that were asked. */
export function toStatus(error: GatewayError | undefined, attempts: number): ExchangeStatus {
  if (error === undefined) return 'completed';
  switch (error.reason) {
    case 'client_closed':
    case 'client_stalled':
      return 'client_aborted';
    case 'shutting_down':
    case 'request_cancelled':
      return 'shutdown';
    case 'deadline_exceeded':
      return 'timeout';
    default:
      if (attempts === 0 || isRequestFault(error)) return 'refused';
      return error.reason.endsWith('_timeout') ? 'timeout' : 'upstream_error';
  }
}
