/** What a kind of backends can do, and how an answer is to be written. */

import type { ChatRequest } from './chat.ts';
import type { CompletionMethods } from './completion.ts';
import type { EmbeddingMethods } from './embedding.ts';
import type { GatewayError } from './errors.ts';
import type { Target } from './fleet.ts';
import type { ReasoningKeys } from './reasoning.ts';
import type { ResidencyMethods } from './residency.ts';
import type { ByteText, ChatSink, Converter, Decoder, Encoder } from './stream.ts';
import type { Transcript } from './transcript.ts';
import type { UpstreamRequest } from './upstream.ts';

/** All that shapes an answer besides what the model says. */
export interface AnswerShape {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  /** As the client named it. */
  readonly model: string;
  readonly fingerprint: string;
  /** What the answer says of `service_tier`, where the backend says nothing; undefined: nothing was asked. */
  readonly serviceTier?: 'default' | undefined;
  readonly isStream: boolean;
  /** Which of several answers to one request this is, or the first of them. */
  readonly index: number;
  /** How many answers the call was asked for. */
  readonly choices: number;
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
  /** Hears what is said, where another backend may have to go on. What it holds already was said by one. */
  readonly transcript?: Transcript | undefined;
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
  /** It goes on with an answer that another backend has begun. */
  readonly canContinue: boolean;
  /** Chat parameters that it does not heed, by name. */
  ignoredParams(request: ChatRequest, target: Target): readonly string[];
  /** Throws GatewayError for what the target cannot do. */
  readonly checkChat?: (request: ChatRequest, target: Target) => void;
  chatRequest(request: ChatRequest, target: Target): UpstreamRequest;
  /**
   * The target as a refusal shows it to be, when the same request can be put otherwise for it;
   * undefined when the refusal is for good.
   */
  readonly adapt?: (refusal: FailedResponse, target: Target) => Target | undefined;
  /** Present where the format is not a surface's own. */
  readonly createDecoder?: (sink: ChatSink, request: ChatRequest, limits: DecodeLimits) => Decoder;
  /** Present where the format is a surface's own: same format on both sides. */
  readonly createPassthrough?: (shape: AnswerShape, limits: DecodeLimits) => Converter;
  readonly completion: CompletionMethods;
  readonly embedding: EmbeddingMethods;
  /** Present where models can be loaded, unloaded and fetched by request. */
  readonly residency?: ResidencyMethods;
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
