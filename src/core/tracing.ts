/** What is told of requests and attempts to whoever draws traces of them. Nothing here is on a token's way. */

import type { GatewayError } from './errors.ts';
import type { ExchangeRecord } from './exchange.ts';
import type { Backend } from './fleet.ts';
import type { JsonObject } from './json.ts';
import type { ByteText, FinishReason, Usage } from './stream.ts';

export interface Tracer {
  /** undefined: nothing is told of this request, and nothing of it goes to backends. */
  begin(request: IncomingRequest): RequestTrace | undefined;
}

export interface IncomingRequest {
  readonly id: string;
  readonly method: string;
  /** It came by https. */
  readonly isEncrypted: boolean;
  /** Path and query. */
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** One HTTP request, from its head to the end of its answer. */
export interface RequestTrace {
  /** For the lines of the log that are about this request. */
  readonly logFields: JsonObject;
  /** Another attempt follows a failure, or would have. */
  event(name: TraceEvent, fields: TraceEventFields): void;
  /** One try of an exchange on one backend. */
  attempt(start: AttemptStart): AttemptTrace;
  /** A request that is passed on raw. */
  call(start: CallStart): AttemptTrace;
  /** Once, after all attempts. */
  end(end: RequestEnd): void;
}

/** `failover`: to another backend; `retry`: once more to the same; `rescue`: after the commit. */
export type TraceEvent = 'failover' | 'retry' | 'rescue' | 'retry_refused';

export interface TraceEventFields {
  /** The one that failed. */
  readonly backend: string;
  readonly failure: GatewayError;
}

export interface RequestEnd {
  /** The pattern of the route; undefined when none matched. */
  readonly route: string | undefined;
  /** undefined: the client left before one was sent. */
  readonly status: number | undefined;
  /** The name of its key, once that is known. */
  readonly client: string | undefined;
  /** Of requests that came to a model, or were passed on raw. */
  readonly record: ExchangeRecord | undefined;
  /** Why it failed, whether that was told with a status or in the stream. */
  readonly error: GatewayError | undefined;
}

export interface AttemptStart {
  readonly backend: Backend;
  /** As the backend calls it. */
  readonly model: string;
  readonly isStream: boolean;
  readonly traits: RequestTraits;
}

export interface CallStart {
  readonly backend: Backend;
  readonly method: string;
  /** Below the backend's base path, with the query. */
  readonly path: string;
}

export interface AttemptTrace {
  /** For the request to the backend, so that its own spans become part of the trace. */
  readonly headers: Readonly<Record<string, string>>;
  /** The answer is wanted too, as it is told to the client. */
  readonly wantsAnswer: boolean;
  /** The first piece of the answer is here; later calls do nothing. */
  answered(): void;
  /** Once. */
  end(end: AttemptEnd): void;
}

export interface AttemptEnd {
  readonly error: GatewayError | undefined;
  readonly usage: Usage | null;
  /** As the backend called it in its answer; '' when it did not. */
  readonly model: string;
  readonly finishReasons: readonly FinishReason[];
  /** Where it was wanted: what the client was told, cut off after some KB. */
  readonly answer: ByteText;
}

/** What a request asks for, as far as it is no secret between the client and the model. */
export interface RequestTraits {
  readonly operation: 'chat' | 'text_completion' | 'embeddings';
  readonly outputType?: 'text' | 'json' | undefined;
  readonly choices?: Wish;
  readonly maxTokens?: Wish;
  readonly temperature?: Wish;
  readonly topP?: Wish;
  readonly frequencyPenalty?: Wish;
  readonly presencePenalty?: Wish;
  readonly seed?: Wish | bigint;
  readonly reasoningEffort?: string | null | undefined;
  readonly dimensions?: Wish;
  readonly encodingFormat?: string;
  /** What is between them; looked at only when the operator wants that. */
  readonly content?: TraceContent;
}

type Wish = number | null | undefined;

/** Messages in the form of OpenTelemetry's GenAI conventions, long texts cut. */
export interface TraceContent {
  asked(): readonly JsonObject[];
  told(answer: ByteText): readonly JsonObject[];
}
