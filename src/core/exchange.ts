/** The client's side of an exchange, and what is told of it when it is over. */

import type { FailureReason, GatewayError } from './errors.ts';
import type { Client } from './client.ts';
import type { JsonObject } from './json.ts';
import type { Operation, Surface } from './operation.ts';
import type { ByteText, Usage } from './stream.ts';
import type { RequestTrace } from './tracing.ts';

/** Moves the answer to the client. The first write commits. */
export interface Relay {
  readonly isCommitted: boolean;
  /** Sets a header of the answer, before the commit; undefined takes it back. */
  header(name: string, value: string | undefined): void;
  /** false: the client reads slower than this is written; wait for `onDrain`. */
  write(bytes: ByteText): boolean;
  /** A line that clients ignore: it keeps idle connections open. Commits. Only for streams. */
  comment(text: string): void;
  /** The last bytes. What is written or ended after it is dropped: the connection may carry another answer by then. */
  end(bytes: ByteText): void;
  onDrain: (() => void) | undefined;
  /** Why nothing more is to be got from the backend: the client left, or the gateway ends it. */
  readonly closedBy: GatewayError | undefined;
  onClose: ((reason: GatewayError) => void) | undefined;
  /** Ends the exchange from our side. */
  cut(reason: GatewayError): void;
  /** Closes the connection, also to a client that does not read. */
  destroy(): void;
}

/** One request with its whole reply. */
export interface Exchange {
  readonly id: string;
  readonly client: Client;
  /** Until then the answer must have begun, or the client has stopped waiting; Infinity when it has not said. */
  readonly deadlineMs: number;
  readonly surface: Surface;
  readonly isStream: boolean;
  /** Parameters without effect are refused instead of named. */
  readonly isStrict: boolean;
  /** null once the answer has begun: a long stream need not hold a long prompt. */
  operation: Operation | null;
  readonly relay: Relay;
  readonly startedMs: number;
  /** undefined where nobody traces it. */
  readonly trace?: RequestTrace | undefined;
}

/** An exchange that is going on, as operators see it. */
export interface ActiveExchange {
  readonly exchange: Pick<Exchange, 'id' | 'client' | 'isStream' | 'startedMs' | 'relay'>;
  readonly model: string;
  readonly backend: string;
  /** What is passed on raw counts as no stream in the metrics. */
  readonly isRaw?: boolean;
}

/** How a stream ended, for the counter. */
export const STREAM_STATUSES = [
  'completed',
  'client_aborted',
  'upstream_error',
  'timeout',
  'shutdown',
] as const;
export type StreamStatus = (typeof STREAM_STATUSES)[number];

/** `refused`: it was at fault, or no backend was asked. Such a stream has not begun, and is not counted. */
export type ExchangeStatus = StreamStatus | 'refused';

/** An attempt that a later one made up for, nearly always on another backend. */
export interface Failover {
  readonly backend: string;
  readonly reason: FailureReason;
}

/** All times in milliseconds of a monotonic clock. */
export interface ExchangeRecord {
  readonly requestId: string;
  /** The name of the key. */
  readonly client: string;
  /** What the key is counted under. */
  readonly keyId: string;
  /** A configured or discovered name, else 'other': safe as a label. */
  readonly model: string;
  /** Of the last attempt; '' when there was none. */
  readonly backend: string;
  readonly isStream: boolean;
  readonly status: ExchangeStatus;
  /** Already told to the client if the relay was committed; else to be told. */
  readonly error: GatewayError | undefined;
  readonly attempts: number;
  /** Attempts that failed and were followed by another one. */
  readonly failovers: readonly Failover[];
  /** Another backend was left, and the retry budget was spent. */
  readonly wasRetryRefused: boolean;
  /** Answers that broke off and were gone on with by another backend. */
  readonly rescues: number;
  /** Spent in line for a slot; undefined when a slot was free. */
  readonly queueMs: number | undefined;
  readonly durationMs: number;
  /** undefined when no token came. */
  readonly ttftMs: number | undefined;
  /** The last attempt, from sending to the last byte; undefined when there was none. */
  readonly inferenceMs: number | undefined;
  /** The gateway's own share: request in → request out, plus first bytes in → first bytes out. */
  readonly overheadMs: number | undefined;
  readonly usage: Usage | null;
  /** Pieces of text that went to the client, about one for each token. */
  readonly seenTokens: number;
}

/** Where the numbers of finished requests and exchanges go. */
export interface Meter {
  request(method: string, route: string, status: number, durationMs: number): void;
  exchange(record: ExchangeRecord): void;
  /** One that was passed on raw. */
  passed(record: ExchangeRecord): void;
}

export interface Logger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

/** Milliseconds of a clock that never goes back. */
export type Now = () => number;
