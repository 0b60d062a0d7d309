/**
 * A chat stream that is already in OpenAI's format → the same stream as the schema allows it.
 * Ordinary tokens are spliced through a learned template; every other chunk is parsed, put right
 * and printed again.
 */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { AnswerShape, DecodeLimits } from '../../core/kind.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import type { ByteText, Converter, Owned } from '../../core/stream.ts';
import { continuedUsage, type Transcript } from '../../core/transcript.ts';
import { createEventReader } from '../../wire/events.ts';
import { toJsonText } from '../../wire/json-string.ts';
import { encodeUtf8, decodeUtf8 } from '../../wire/utf8.ts';
import { spokenFailure } from './failure.ts';
import { identityOf, reasoningOf, toFinishReason, toLogprobs, toUsage, toUsageObject } from './normalise.ts';
import { createTokenTemplate } from './template.ts';
import { createToolCallPieces, type ToolCallPieces } from './tool-calls.ts';

/** What was sent of one choice so far. */
interface ChoiceState {
  readonly index: number;
  /** undefined before the first: most answers have none. */
  calls: ToolCallPieces | undefined;
  hasRole: boolean;
  hasFunctionCall: boolean;
  hasFinished: boolean;
}

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
    event(data) {
      if (converter.isDone) return;
      records++;
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
    const delta = isJsonObject(part.delta) ? part.delta : {};
    const logprobs = toLogprobs(part.logprobs);
    for (const piece of toDeltas(delta, state)) {
      emitRole(index, state, 'tool_calls' in piece || 'function_call' in piece);
      emitChoice(index, piece, null, logprobs);
    }
    const reason = toFinishReason(part.finish_reason, (state.calls?.count ?? 0) > 0, state.hasFunctionCall);
    if (reason === null) return;
    emitRole(index, state, false);
    emitChoice(index, {}, reason, null);
    state.hasFinished = true;
    converter.hasFinished = choices.every((each) => each.hasFinished);
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

  /** Thinking, text and calls of one delta, each in a delta of its own; empty ones are silence. */
  function toDeltas(delta: JsonObject, state: ChoiceState): JsonObject[] {
    const deltas: JsonObject[] = [];
    const thinking = reasoningOf(delta);
    if (thinking !== '') {
      converter.hasSpoken = true;
      const fields = reasoningFields(shape.reasoningKeys, thinking);
      if (Object.keys(fields).length > 0) deltas.push({ ...fields });
    }
    for (const key of ['content', 'refusal']) {
      const value = delta[key];
      if (typeof value === 'string' && value !== '') deltas.push({ [key]: value });
    }
    for (const key of ['audio', 'annotations', 'function_call']) {
      if (delta[key] !== null && delta[key] !== undefined) deltas.push({ [key]: delta[key] });
    }
    if (isJsonObject(delta.function_call)) state.hasFunctionCall = true;
    if (Array.isArray(delta.tool_calls)) {
      state.calls ??= createToolCallPieces(shape);
      const calls = state.calls.normalise(delta.tool_calls);
      if (calls.length > 0) deltas.push({ tool_calls: calls });
    }
    if (deltas.length > 0) converter.hasSpoken = true;
    if (transcript) record(transcript, deltas);
    return deltas;
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
  };
  return converter;
}

/** Text can be gone on from; thinking and calls cannot. */
function record(transcript: Transcript, deltas: readonly JsonObject[]): void {
  for (const { content } of deltas) {
    if (typeof content === 'string') transcript.add(toJsonText(content));
    else transcript.spoil();
  }
}
