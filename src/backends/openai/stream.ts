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
} from '../../core/stream.ts';
import { continuedUsage, type Transcript } from '../../core/transcript.ts';
import { createEventReader } from '../../wire/events.ts';
import { toJsonText } from '../../wire/json-string.ts';
import { encodeUtf8, decodeUtf8 } from '../../wire/utf8.ts';
import { toPieces, type ChoiceState, type Piece } from './deltas.ts';
import { eventFailure, spokenFailure } from './failure.ts';
import { identityOf, reasoningOf, toFinishReason, toUsage, toUsageObject } from './normalise.ts';
import { createTokenTemplate } from './template.ts';

/** `useFastPath: false` parses every chunk; the golden tests hold both ways to the same result. */
export function createChatPassthrough(
  shape: AnswerShape,
  limits: DecodeLimits,
  useFastPath = true,
): Converter {
  const { transcript } = shape;
  const saidBefore = transcript?.pieces ?? 0;
  /** A list and no map, because it has one entry nearly always. */
  const choices: ChoiceState[] = [];
  const template = createTokenTemplate(transcript);
  let out = '';
  let records = 0;
  let identity: JsonObject | undefined;
  let usageObject: JsonObject | undefined;

  const events = createEventReader(limits.maxRecordBytes, {
    plain(data) {
      const event = useFastPath && !converter.isDone ? template.fill(data) : '';
      if (event === '') return false;
      out += event;
      records++;
      return true;
    },
    event(data, name) {
      if (converter.isDone) return;
      records++;
      if (name === 'error') throw eventFailure(data);
      if (data.trim() === '[DONE]') {
        conclude();
      } else {
        takeChunk(data);
      }
    },
  });

  function takeChunk(data: ByteText): void {
    const chunk = parseJson(decodeUtf8(data));
    if (!isJsonObject(chunk)) {
      throw new GatewayError('upstream_invalid_response', {
        message: 'The upstream server sent an invalid response.',
      });
    }
    const failure = spokenFailure(chunk);
    if (failure) throw failure;
    identity ??= identify(chunk);
    if (converter.model === '') converter.model = modelOf(chunk);
    if (isJsonObject(chunk.usage)) {
      converter.usage = toUsage(chunk.usage);
      usageObject = toUsageObject(chunk.usage, continuedUsage(converter.usage, saidBefore));
    }
    const parts = Array.isArray(chunk.choices) ? chunk.choices.filter(isJsonObject) : [];
    const before = out.length;
    for (const part of parts) takeChoice(part);
    const isRepeatable = parts.length === 1 && !isJsonObject(chunk.usage);
    if (isRepeatable) template.learn(data, out.slice(before) as ByteText);
  }

  /** The backend that has begun the answer has named it. */
  function identify(chunk: JsonObject): JsonObject {
    const { id, created, model, fingerprint } = shape;
    if (saidBefore > 0) return { id, created, model, system_fingerprint: fingerprint };
    const own = identityOf(chunk, shape);
    if (transcript) {
      transcript.identity = {
        id: String(own.id),
        created: Number(own.created),
        fingerprint: typeof own.system_fingerprint === 'string' ? own.system_fingerprint : fingerprint,
      };
    }
    return own;
  }

  function takeChoice(part: JsonObject): void {
    const index = typeof part.index === 'number' && Number.isSafeInteger(part.index) ? part.index : 0;
    const state = stateOf(index);
    if (state.hasFinished) return;
    if (isJsonObject(part.message)) {
      throw new GatewayError('upstream_invalid_response', {
        message: 'The upstream server sent a whole answer where a stream was asked for.',
      });
    }
    const pieces = toPieces(part, state, shape);
    if (pieces.length > 0 || hasThinking(part)) converter.hasSpoken = true;
    if (transcript) record(transcript, pieces);
    for (const { delta, logprobs } of pieces) {
      emitRole(index, state, 'tool_calls' in delta || 'function_call' in delta);
      emitChoice(index, delta, null, logprobs);
    }
    const reason = toFinishReason(part.finish_reason, (state.calls?.count ?? 0) > 0, state.hasFunctionCall);
    if (reason !== null) finish(state, reason);
  }

  function finish(state: ChoiceState, reason: FinishReason): void {
    const { index } = state;
    const missing = state.calls?.finish() ?? [];
    if (missing.length > 0) emitChoice(index, { tool_calls: missing }, null, null);
    emitRole(index, state, false);
    emitChoice(index, {}, reason, null);
    state.hasFinished = true;
    converter.finishReasons = [...converter.finishReasons, reason];
    // What was not begun is missing too.
    converter.hasFinished = choices.length >= shape.choices && choices.every((each) => each.hasFinished);
    template.forget();
  }

  function stateOf(index: number): ChoiceState {
    const known = choices.find((each) => each.index === index);
    if (known) return known;
    const state = {
      index,
      calls: undefined,
      hasRole: saidBefore > 0,
      hasFunctionCall: false,
      hasFinished: false,
    };
    choices.push(state);
    converter.hasFinished = false;
    return state;
  }

  function emitRole(index: number, state: ChoiceState, isCall: boolean): void {
    if (state.hasRole) return;
    state.hasRole = true;
    emitChoice(index, { role: 'assistant', content: isCall ? null : '' }, null, null);
  }

  function emitChoice(
    index: number,
    delta: JsonObject,
    reason: string | null,
    logprobs: JsonObject | null,
  ): void {
    emit(
      [{ index: shape.index + index, delta, ...(shape.logprobs && { logprobs }), finish_reason: reason }],
      null,
    );
  }

  function emit(parts: readonly JsonObject[], counted: JsonObject | null): void {
    const { id, created, ...rest } = identity ?? identityOf({}, shape);
    const chunk = {
      id,
      object: 'chat.completion.chunk',
      created,
      ...rest,
      choices: parts,
      ...(shape.includeUsage && { usage: counted }),
    };
    out += `data: ${encodeUtf8(JSON.stringify(chunk))}\n\n`;
  }

  /** Nothing more will come. Throws when the answer had no end. */
  function conclude(): void {
    if (converter.isDone) return;
    if (!converter.hasFinished) {
      throw new GatewayError('upstream_incomplete_response', {
        message:
          choices.length === 0
            ? 'The upstream server closed the stream without a response.'
            : 'The upstream server closed the stream before the response was complete.',
      });
    }
    converter.isDone = true;
    if (shape.isPart) return;
    if (shape.includeUsage && usageObject) emit([], usageObject);
    out += 'data: [DONE]\n\n';
  }

  const converter: Owned<Converter> = {
    push(bytes) {
      const before = records;
      events.push(bytes);
      return records !== before;
    },
    end() {
      events.end();
      conclude();
    },
    take() {
      const text = out;
      out = '';
      return text as ByteText;
    },
    hasSpoken: false,
    hasFinished: false,
    isDone: false,
    usage: null,
    model: '',
    finishReasons: NO_REASONS,
  };
  return converter;
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
