/** The parts that a streamed chunk and a whole answer of a text completion have in common, put right. */

import type { CompletionShape } from '../../core/completion.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import { toLegacyLogprobs } from '../../core/legacy-logprobs.ts';
import type { ByteText } from '../../core/stream.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { spokenFailure } from './failure.ts';
import { toFinishReason } from './normalise.ts';

/** Throws GatewayError when it is an error or no answer at all. */
export function toAnswer(data: ByteText): JsonObject {
  const answer = parseJson(decodeUtf8(data));
  if (!isJsonObject(answer)) throw invalidAnswer();
  const failure = spokenFailure(answer, 'prompt');
  if (failure) throw failure;
  return answer;
}

export function choicesOf({ choices }: JsonObject): JsonObject[] {
  return Array.isArray(choices) ? choices.filter(isJsonObject) : [];
}

interface Choice {
  readonly text: string;
  readonly index: number;
  readonly logprobs: object | null;
  readonly finish_reason: 'stop' | 'length' | 'content_filter' | null;
}

/** `offset`: characters before the text. */
export function toChoice(
  given: JsonObject,
  position: number,
  shape: CompletionShape,
  offset: number,
): Choice {
  const reason = toFinishReason(given.finish_reason, false, false);
  return {
    text: typeof given.text === 'string' ? given.text : '',
    index: indexOf(given, position, shape),
    logprobs: isJsonObject(given.logprobs) && shape.logprobs ? toLogprobs(given.logprobs, offset) : null,
    // A model that continues text calls no tools.
    finish_reason: reason === 'tool_calls' || reason === 'function_call' ? 'stop' : reason,
  };
}

export function indexOf({ index }: JsonObject, position: number, shape: CompletionShape): number {
  return shape.index + (typeof index === 'number' ? index : position);
}

/** The four lists that the schema demands and nothing else. llama.cpp sends those of a chat. */
function toLogprobs(given: JsonObject, offset: number): object {
  if (Array.isArray(given.content)) return toLegacyLogprobs(given.content, offset);
  const { tokens, token_logprobs, top_logprobs, text_offset } = given;
  return {
    tokens: tokens ?? [],
    token_logprobs: token_logprobs ?? [],
    top_logprobs: top_logprobs ?? null,
    text_offset: text_offset ?? [],
  };
}

export function invalidAnswer(): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: 'The upstream server sent an invalid response.',
  });
}
