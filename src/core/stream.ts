/** The vocabulary of a streamed answer: what a decoder says, what an encoder hears, and in which form. */

/**
 * Bytes as a string with one character per byte (U+0000 to U+00FF, "latin1"). What comes off a
 * socket and what goes onto one has this form: cutting and joining it costs nothing, and UTF-8
 * inside passes through untouched. It is not text: decode it (wire/utf8.ts) before reading it.
 */
export type ByteText = string & { readonly __form: 'bytes' };

/** A JSON string literal in ByteText, quotes included, well-formed (see wire/json-string.ts). */
export type JsonText = ByteText & { readonly __json: 'string' };

/** The values OpenAI allows; nothing else may leave the gateway. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'function_call';

/** Before the first of them. */
export const NO_REASONS: readonly FinishReason[] = [];

/** Token counts of one answer. `cached` is part of `prompt`, `reasoning` part of `completion`. */
export interface Usage {
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
  readonly reasoning: number;
}

/** One call of a tool, whole. Rare, so plain text and no literals. */
export interface ToolCall {
  /** The backend's own id, or undefined when it gave none or gave one twice. */
  readonly id: string | undefined;
  readonly name: string;
  /** The JSON text of the arguments. */
  readonly arguments: string;
}

/**
 * Hears one answer in order, synchronously. After `finish` nothing follows.
 * Literals are never empty strings: silence is not said.
 */
export interface ChatSink {
  /** `logprobs`: a JSON array of OpenAI's token entries, when they were asked for. */
  text(literal: JsonText, logprobs?: ByteText): void;
  reasoning(literal: JsonText): void;
  /** The calls that arrived together, in order of arrival. */
  toolCalls(calls: readonly ToolCall[]): void;
  /** A further piece of the arguments of the last call, which was said with none. */
  toolArguments(literal: JsonText): void;
  /** `usage` is null when the backend did not count. */
  finish(reason: FinishReason, usage: Usage | null): void;
}

/**
 * Backend bytes → calls on a sink. Single use. Both methods throw GatewayError.
 *
 * The fields are plain and not getters: a getter in an object literal gives every stream a hidden
 * class of its own, and every access to such objects then misses V8's caches.
 */
export interface Decoder {
  /** True when a whole record (a line, an event) was understood: what counts as a sign of life. */
  push(bytes: ByteText): boolean;
  /** The body ended. Throws when the answer did not. */
  end(): void;
  /** The backend has said something of the answer: the first token is here. */
  readonly hasSpoken: boolean;
  /** The answer has its finish reason: a connection that breaks from here on has lost nothing. */
  readonly hasFinished: boolean;
  /** Everything was taken in; what the backend still sends does not matter. */
  readonly isDone: boolean;
  /** Known once done, null when the backend did not count. */
  readonly usage: Usage | null;
  /** What the backend called the model in its answer; '' until it has, and when it does not. */
  readonly model: string;
  /** Why the answer ended; one for each when the call gives several, in the order in which they did. */
  readonly finishReasons: readonly FinishReason[];
}

/** Calls → the client's bytes, taken out with take(). */
export interface Encoder extends ChatSink {
  /** What there is to send by now; '' when nothing is. */
  take(): ByteText;
}

/** What one exchange sends through: decoder and encoder, or a passthrough between equal formats. */
export interface Converter extends Decoder {
  /** What there is to send by now, also after end(); '' when nothing is. */
  take(): ByteText;
}

/** The owner's view of an object whose fields others only read. */
export type Owned<T> = { -readonly [K in keyof T]: T[K] };

/** What an answer calls the model; '' when it does not. */
export function modelOf({ model }: { readonly model?: unknown }): string {
  return typeof model === 'string' ? model : '';
}
