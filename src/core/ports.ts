/** The sockets between the boxes: what each step asks of the next, and nothing more. */

import type { ChatRequest } from './chat.ts';
import type { CompletionMethods } from './completion.ts';
import type { EmbeddingMethods } from './embedding.ts';
import type { GatewayError } from './errors.ts';
import type { Operation, Surface } from './operation.ts';
import type { JsonObject } from './json.ts';
import type { ReasoningKeys } from './reasoning.ts';
import type { ByteText, ChatSink, Converter, Decoder, Encoder, Usage } from './stream.ts';

// --- backends: who answers ---

export const KINDS = ['ollama', 'vllm', 'openai', 'llamacpp', 'lmstudio'] as const;
export type KindName = (typeof KINDS)[number];

/** Limits of one attempt in milliseconds; 0 turns a limit off. */
export interface Timeouts {
  readonly connectMs: number;
  /** From sending the request to the first piece of the answer. */
  readonly firstTokenMs: number;
  /** Between two pieces of the answer. */
  readonly idleMs: number;
  /** From sending the request to the last byte. */
  readonly totalMs: number;
}

/** Where a backend is and what it speaks; all the rest has defaults. */
export interface BackendAddress {
  readonly name: string;
  readonly kind: KindName;
  readonly url: string;
}

/** One configured upstream server. */
export interface Backend extends BackendAddress {
  /** Origin and base path without a trailing slash, e.g. `http://localhost:8000/v1`. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Relative capacity; 0 takes no traffic. */
  readonly weight: number;
  /** In-flight exchanges it may have at most. */
  readonly maxConcurrency: number;
  /** Exchanges that may wait for it when it has that many. */
  readonly queue: number;
  readonly timeouts: Timeouts;
}

/** What a backend told of one of its models. */
export interface UpstreamModel {
  readonly name: string;
  /** Unix seconds. */
  readonly created: number;
  readonly ownedBy: string;
  /** Changes with the weights; '' when the backend has no such thing. */
  readonly digest: string;
  readonly family?: string;
  /** Ollama's words: completion, tools, vision, thinking, embedding, … undefined when not known. */
  readonly capabilities?: readonly string[];
  /** The model's own stop strings, which a request's stop would replace. */
  readonly stops?: readonly string[];
}

/** A backend with what the gateway calls the model there. */
export interface Target {
  readonly backend: Backend;
  readonly upstreamModel: string;
  /** undefined while the backend has not listed it. */
  readonly model: UpstreamModel | undefined;
  /** The server's version as it tells it; '' when unknown. */
  readonly serverVersion: string;
  /** Fixed by the operator for this model, in the words of the backend (num_ctx, keep_alive, …). */
  readonly options: JsonObject;
  /** Options that load a model anew and that a request may set all the same. */
  readonly requestOptions: readonly string[];
  /** Text completions go through the model's chat template. */
  readonly completionTemplate: boolean;
}

/** What a probe learned. */
export interface Discovery {
  /** By the name the backend uses. */
  readonly models: ReadonlyMap<string, UpstreamModel>;
  /** '' when the backend does not tell. */
  readonly version: string;
}

/** Asks a backend what it is and has, without loading a model. Rejects when it does not answer. */
export type Discover = (backend: Backend, signal: AbortSignal) => Promise<Discovery>;

/** A held slot of a backend, until the last byte. */
export interface Lease {
  readonly target: Target;
  /** Once; later calls do nothing. */
  release(outcome: 'ok' | GatewayError): void;
}

export interface BackendStatus {
  readonly backend: Backend;
  readonly isUp: boolean;
  readonly inFlight: number;
  /** undefined until the first probe that succeeded. */
  readonly discovery: Discovery | undefined;
}

export interface Pool {
  /**
   * Takes a slot, synchronously: two requests of one tick never pick by the same counts. Throws
   * server_overloaded when all targets are full, no_backend_available when none is left.
   */
  lease(targets: readonly Target[], tried: ReadonlySet<string>, exchangeId: string): Lease;
  /**
   * Waits for a slot of one of the targets, first come, first served. Rejects with server_overloaded
   * when nobody more may wait there, or with the failure that `signal` gives as its reason.
   */
  queue(
    targets: readonly Target[],
    tried: ReadonlySet<string>,
    exchangeId: string,
    signal: AbortSignal,
  ): Promise<Lease>;
  /** A probe's result; undefined when it failed. */
  probed(backend: Backend, discovery: Discovery | undefined): void;
  status(): readonly BackendStatus[];
}

/** Where a model can be had. */
export interface Resolution {
  readonly targets: readonly Target[];
  /** A configured or discovered name, else 'other': safe as a label. */
  readonly label: string;
  /** What the operator said it is for. */
  readonly type?: ModelType | undefined;
}

export const MODEL_TYPES = ['chat', 'completion', 'embedding'] as const;
export type ModelType = (typeof MODEL_TYPES)[number];

/** A model that the operator named in the configuration. */
export interface Alias {
  readonly name: string;
  /** undefined: whatever it can. */
  readonly type?: ModelType | undefined;
  /** Without `backend`: every backend that lists the model. */
  readonly targets: readonly { readonly backend?: string | undefined; readonly model: string }[];
  readonly options: JsonObject;
  readonly requestOptions: readonly string[];
  readonly completionTemplate: boolean;
}

/** A name as a client may use it. */
export interface ListedModel {
  readonly id: string;
  readonly created: number;
  readonly ownedBy: string;
}

export interface Catalog {
  /** Throws model_not_found. */
  resolve(model: string): Resolution;
  list(): readonly ListedModel[];
}

export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  /** Appended to the backend's url. */
  readonly path: string;
  readonly body?: string;
}

export interface BodyReader {
  chunk(bytes: ByteText): void;
  end(): void;
  /** The connection failed before the body's end. */
  error(error: GatewayError): void;
}

export interface UpstreamResponse {
  readonly status: number;
  /** Lower-case names; repeated fields joined by ', '. */
  readonly headers: Readonly<Record<string, string>>;
  /** Apart from the rest, which nobody needs while a long answer flows. */
  readonly body: UpstreamBody;
}

export interface UpstreamBody {
  /** Starts the flow; one reader, called synchronously, one `chunk` per read from the socket. */
  read(reader: BodyReader): void;
  pause(): void;
  resume(): void;
  /** The rest does not matter: it is read for a moment, so that the connection can be used again. */
  discard(): void;
}

/**
 * Sends one request, without following redirects or retrying. Rejects with GatewayError:
 * upstream_unavailable, upstream_connect_timeout, upstream_connection_error. When `signal` aborts,
 * before or during the answer, the connection is closed at once and the failure is its reason.
 */
export type Send = (
  backend: Backend,
  request: UpstreamRequest,
  signal: AbortSignal,
) => Promise<UpstreamResponse>;

// --- formats: how an answer is written ---

/** All that shapes an answer besides what the model says. */
export interface AnswerShape {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  /** As the client named it. */
  readonly model: string;
  readonly fingerprint: string;
  readonly isStream: boolean;
  /** Which of several answers to one request this is. */
  readonly index: number;
  /** The end of the answer (usage, `[DONE]`) is told for all parts together, by somebody else. */
  readonly isPart: boolean;
  readonly includeUsage: boolean;
  readonly reasoningKeys: ReasoningKeys;
  readonly logprobs: boolean;
  /** parallel_tool_calls: false. */
  readonly firstCallOnly: boolean;
  /** The request used `functions` instead of `tools`. */
  readonly legacyFunctions: boolean;
  /** Names of the tools whose calls carry text instead of JSON arguments. */
  readonly customTools: readonly string[];
  /** Random characters for an id, at least 24. */
  readonly newId: () => string;
}

export interface DecodeLimits {
  /** One line or event. */
  readonly maxRecordBytes: number;
  /** A whole answer that must be held before it can be sent. */
  readonly maxResponseBytes: number;
}

/** A wire format for chat answers. */
export interface ChatFormat {
  /** To tell when a backend speaks the same. */
  readonly format: 'openai-chat';
  createEncoder(shape: AnswerShape, limits: DecodeLimits): Encoder;
}

/** Everything that differs between kinds of backends. Pure. */
export interface BackendKind {
  readonly format: 'openai-chat' | 'ollama';
  /** One call can give several answers (`n`). */
  readonly hasChoices: boolean;
  /** Fetches images by URL itself. */
  readonly takesImageUrls: boolean;
  /** Chat parameters that it does not heed, by name. */
  ignoredParams(request: ChatRequest, target: Target): readonly string[];
  chatRequest(request: ChatRequest, target: Target): UpstreamRequest;
  /** Present where the format is not a surface's own. */
  readonly createDecoder?: (sink: ChatSink, request: ChatRequest, limits: DecodeLimits) => Decoder;
  /** Present where the format is a surface's own: same format on both sides. */
  readonly createPassthrough?: (shape: AnswerShape, limits: DecodeLimits) => Converter;
  readonly completion: CompletionMethods;
  readonly embedding: EmbeddingMethods;
  /** What an answer with a status of 300 or more means. */
  failure(response: FailedResponse): GatewayError;
}

export interface FailedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Cut off after some KB. */
  readonly body: ByteText;
  /** The name the client used, for messages. */
  readonly model: string;
  /** The parameter that holds what the model reads; `messages` unless given. */
  readonly promptParam?: string;
}

// --- the client's side of an exchange ---

/** Moves the answer to the client. The first write commits. */
export interface Relay {
  readonly isCommitted: boolean;
  /** Sets a header of the answer, before the commit; undefined takes it back. */
  header(name: string, value: string | undefined): void;
  /** false: the client reads slower than this is written; wait for `onDrain`. */
  write(bytes: ByteText): boolean;
  /** A comment that keeps idle connections open. Commits. Only for streams. */
  heartbeat(): void;
  end(bytes: ByteText): void;
  onDrain: (() => void) | undefined;
  /** Why nothing more is to be got from the backend: the client left, or the gateway ends it. */
  readonly closedBy: GatewayError | undefined;
  onClose: ((reason: GatewayError) => void) | undefined;
  /** Ends the exchange from our side. */
  cut(reason: GatewayError): void;
}

/** One request with its whole reply. */
export interface Exchange {
  readonly id: string;
  /** The name of the key that was used. */
  readonly client: string;
  readonly surface: Surface;
  readonly isStream: boolean;
  /** Parameters without effect are refused instead of named. */
  readonly isStrict: boolean;
  /** null once the answer has begun: a long stream need not hold a long prompt. */
  operation: Operation | null;
  readonly relay: Relay;
  readonly startedMs: number;
}

/** An exchange that is going on, as operators see it. */
export interface ActiveExchange {
  readonly exchange: Exchange;
  readonly model: string;
  readonly backend: string;
}

/** How an exchange ended, for the stream counter. */
export type StreamStatus = 'completed' | 'client_aborted' | 'upstream_error' | 'timeout' | 'shutdown';

/** All times in milliseconds of a monotonic clock. */
export interface ExchangeRecord {
  readonly requestId: string;
  readonly client: string;
  /** A configured or discovered name, else 'other': safe as a label. */
  readonly model: string;
  /** Of the last attempt; '' when there was none. */
  readonly backend: string;
  readonly isStream: boolean;
  readonly status: StreamStatus;
  /** Already told to the client if the relay was committed; else to be told. */
  readonly error: GatewayError | undefined;
  readonly attempts: number;
  readonly durationMs: number;
  /** undefined when no token came. */
  readonly ttftMs: number | undefined;
  /** The last attempt, from sending to the last byte; undefined when there was none. */
  readonly inferenceMs: number | undefined;
  /** The gateway's own share: request in → request out, plus first bytes in → first bytes out. */
  readonly overheadMs: number | undefined;
  readonly usage: Usage | null;
}

/** Who calls. */
export interface Client {
  readonly name: string;
}

export interface Keyring {
  /** Takes the Authorization header. Throws missing_api_key or invalid_api_key. */
  identify(authorization: string | undefined): Client;
}

/** Where the numbers of finished requests and exchanges go. */
export interface Meter {
  request(method: string, route: string, status: number, durationMs: number): void;
  exchange(record: ExchangeRecord): void;
}

export interface Logger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

/** Milliseconds of a clock that never goes back. */
export type Now = () => number;
