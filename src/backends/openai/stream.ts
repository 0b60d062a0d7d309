/**
 * A chat stream that is already in OpenAI's format → the same stream as the schema allows it.
 * Ordinary tokens are spliced through a learned template; every other chunk is parsed, put right
 * and printed again.
 */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { AnswerShape, DecodeLimits } from '../../core/kind.ts';
import {
  modelOf,
  NO_REASONS,
  type ByteText,
  type Converter,
  type FinishReason,
  type Owned,
  type Usage,
} from '../../core/stream.ts';
import { continuedUsage, type Transcript } from '../../core/transcript.ts';
import { createEventReader, type EventListener, type EventReader } from '../../wire/events.ts';
import { toJsonText } from '../../wire/json-string.ts';
import { encodeUtf8, decodeUtf8 } from '../../wire/utf8.ts';
import { toPieces, type ChoiceState, type Piece } from './deltas.ts';
import { eventFailure, spokenFailure } from './failure.ts';
import { identityOf, reasoningOf, toFinishReason, toUsage, toUsageObject } from './normalise.ts';
import { TokenTemplate } from './template.ts';

/** `useFastPath: false` parses every chunk; the golden tests hold both ways to the same result. */
export function createChatPassthrough(
  shape: AnswerShape,
  limits: DecodeLimits,
  useFastPath = true,
): Converter {
  return new ChatPassthrough(shape, limits, useFastPath);
}

/** A class, because a token passes here: docs/performance.md. */
class ChatPassthrough implements Owned<Converter>, EventListener {
  readonly #events: EventReader;
  readonly #template: TokenTemplate;
  readonly #useFastPath: boolean;
  #out = '';
  #records = 0;
  hasSpoken = false;
  hasFinished = false;
  isDone = false;
  usage: Usage | null = null;
  model = '';
  finishReasons = NO_REASONS;
  readonly #shape: AnswerShape;
  /** Tokens of the answer that another backend said. */
  readonly #saidBefore: number;
  /** A list and no map, because it has one entry nearly always. */
  readonly #choices: ChoiceState[] = [];
  #identity: JsonObject | undefined = undefined;
  #usageObject: JsonObject | undefined = undefined;

  constructor(shape: AnswerShape, limits: DecodeLimits, useFastPath: boolean) {
    this.#events = createEventReader(limits.maxRecordBytes, this);
    this.#template = new TokenTemplate(shape.transcript);
    this.#useFastPath = useFastPath;
    this.#shape = shape;
    this.#saidBefore = shape.transcript?.pieces ?? 0;
  }

  push(bytes: ByteText): boolean {
    const before = this.#records;
    this.#events.push(bytes);
    return this.#records !== before;
  }

  end(): void {
    this.#events.end();
    this.#conclude();
  }

  take(): ByteText {
    const text = this.#out;
    this.#out = '';
    return text as ByteText;
  }

  plain(data: ByteText): boolean {
    const event = this.#useFastPath && !this.isDone ? this.#template.fill(data) : '';
    if (event === '') return false;
    this.#out += event;
    this.#records++;
    return true;
  }

  event(data: ByteText, name: string): void {
    if (this.isDone) return;
    this.#records++;
    if (name === 'error') throw eventFailure(data);
    if (data.trim() === '[DONE]') this.#conclude();
    else this.#takeChunk(data);
  }

  #takeChunk(data: ByteText): void {
    const chunk = parseJson(decodeUtf8(data));
    if (!isJsonObject(chunk)) {
      throw new GatewayError('upstream_invalid_response', {
        message: 'The upstream server sent an invalid response.',
      });
    }
    const failure = spokenFailure(chunk);
    if (failure) throw failure;
    this.#identity ??= this.#identify(chunk);
    if (this.model === '') this.model = modelOf(chunk);
    if (isJsonObject(chunk.usage)) {
      this.usage = toUsage(chunk.usage);
      this.#usageObject = toUsageObject(chunk.usage, continuedUsage(this.usage, this.#saidBefore));
    }
    const parts = Array.isArray(chunk.choices) ? chunk.choices.filter(isJsonObject) : [];
    const before = this.#out.length;
    for (const part of parts) this.#takeChoice(part);
    const isRepeatable = parts.length === 1 && !isJsonObject(chunk.usage);
    if (isRepeatable) this.#template.learn(data, this.#out.slice(before) as ByteText);
  }

  /** The backend that has begun the answer has named it. */
  #identify(chunk: JsonObject): JsonObject {
    const { id, created, model, fingerprint, transcript } = this.#shape;
    if (this.#saidBefore > 0) return { id, created, model, system_fingerprint: fingerprint };
    const own = identityOf(chunk, this.#shape);
    if (transcript) {
      transcript.identity = {
        id: String(own.id),
        created: Number(own.created),
        fingerprint: typeof own.system_fingerprint === 'string' ? own.system_fingerprint : fingerprint,
      };
    }
    return own;
  }

  #takeChoice(part: JsonObject): void {
    const index = typeof part.index === 'number' && Number.isSafeInteger(part.index) ? part.index : 0;
    const state = this.#stateOf(index);
    if (state.hasFinished) return;
    if (isJsonObject(part.message)) {
      throw new GatewayError('upstream_invalid_response', {
        message: 'The upstream server sent a whole answer where a stream was asked for.',
      });
    }
    const pieces = toPieces(part, state, this.#shape);
    if (pieces.length > 0 || hasThinking(part)) this.hasSpoken = true;
    if (this.#shape.transcript) record(this.#shape.transcript, pieces);
    for (const { delta, logprobs } of pieces) {
      this.#emitRole(state, 'tool_calls' in delta || 'function_call' in delta);
      this.#emitChoice(index, delta, null, logprobs);
    }
    const reason = toFinishReason(part.finish_reason, (state.calls?.count ?? 0) > 0, state.hasFunctionCall);
    if (reason !== null) this.#finish(state, reason);
  }

  #finish(state: ChoiceState, reason: FinishReason): void {
    const { index } = state;
    const choices = this.#choices;
    const missing = state.calls?.finish() ?? [];
    if (missing.length > 0) this.#emitChoice(index, { tool_calls: missing }, null, null);
    this.#emitRole(state, false);
    this.#emitChoice(index, {}, reason, null);
    state.hasFinished = true;
    this.finishReasons = [...this.finishReasons, reason];
    // What was not begun is missing too.
    this.hasFinished = choices.length >= this.#shape.choices && choices.every((each) => each.hasFinished);
    this.#template.forget();
  }

  #stateOf(index: number): ChoiceState {
    const known = this.#choices.find((each) => each.index === index);
    if (known) return known;
    const state = {
      index,
      calls: undefined,
      hasRole: this.#saidBefore > 0,
      hasFunctionCall: false,
      hasFinished: false,
    };
    this.#choices.push(state);
    this.hasFinished = false;
    return state;
  }

  #emitRole(state: ChoiceState, isCall: boolean): void {
    if (state.hasRole) return;
    state.hasRole = true;
    this.#emitChoice(state.index, { role: 'assistant', content: isCall ? null : '' }, null, null);
  }

  #emitChoice(index: number, delta: JsonObject, reason: string | null, logprobs: JsonObject | null): void {
    const shape = this.#shape;
    this.#emit(
      [{ index: shape.index + index, delta, ...(shape.logprobs && { logprobs }), finish_reason: reason }],
      null,
    );
  }

  #emit(parts: readonly JsonObject[], counted: JsonObject | null): void {
    const { id, created, ...rest } = this.#identity ?? identityOf({}, this.#shape);
    const chunk = {
      id,
      object: 'chat.completion.chunk',
      created,
      ...rest,
      choices: parts,
      ...(this.#shape.includeUsage && { usage: counted }),
    };
    this.#out += `data: ${encodeUtf8(JSON.stringify(chunk))}\n\n`;
  }

  /** Nothing more will come. Throws when the answer had no end. */
  #conclude(): void {
    if (this.isDone) return;
    if (!this.hasFinished) {
      throw new GatewayError('upstream_incomplete_response', {
        message:
          this.#choices.length === 0
            ? 'The upstream server closed the stream without a response.'
            : 'The upstream server closed the stream before the response was complete.',
      });
    }
    this.isDone = true;
    if (this.#shape.isPart) return;
    if (this.#shape.includeUsage && this.#usageObject) this.#emit([], this.#usageObject);
    this.#out += 'data: [DONE]\n\n';
  }
}

/** Also when it is to be hidden. */
function hasThinking({ delta }: JsonObject): boolean {
  return isJsonObject(delta) && reasoningOf(delta) !== '';
}

/** Text can be gone on from; thinking and calls cannot. */
function record(transcript: Transcript, pieces: readonly Piece[]): void {
  for (const { delta } of pieces) {
    if (typeof delta.content === 'string') transcript.add(toJsonText(delta.content));
    else transcript.spoil();
  }
}
