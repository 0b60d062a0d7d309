/** A whole chat.completion body of a compatible server → one that OpenAI's schema allows. */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { AnswerShape } from '../../core/kind.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import { modelOf, type FinishReason, type Usage } from '../../core/stream.ts';
import { spokenFailure } from './failure.ts';
import {
  argumentsText,
  identityOf,
  reasoningOf,
  toFinishReason,
  toLogprobs,
  toUsage,
  toUsageObject,
} from './normalise.ts';
import { namelessCall } from './tool-calls.ts';

export interface Result {
  readonly body: JsonObject;
  readonly usage: Usage | null;
  readonly model: string;
  readonly finishReasons: readonly FinishReason[];
}

/** Throws GatewayError when the body is an error or no answer at all. */
export function toResult(json: string, shape: AnswerShape): Result {
  const parsed = parseJson(json);
  if (!isJsonObject(parsed)) throw invalidAnswer();
  const failure = spokenFailure(parsed);
  if (failure) throw failure;
  const choices = Array.isArray(parsed.choices) ? parsed.choices.filter(isJsonObject) : [];
  if (choices.length === 0) throw invalidAnswer();
  const usage = isJsonObject(parsed.usage) ? toUsage(parsed.usage) : null;
  const { id, created, ...identity } = identityOf(parsed, shape);
  const told = choices.map((choice, i) => toChoice(choice, i, shape));
  return {
    body: {
      id,
      object: 'chat.completion',
      created,
      ...identity,
      choices: told,
      ...(usage && isJsonObject(parsed.usage) && { usage: toUsageObject(parsed.usage, usage) }),
    },
    usage,
    model: modelOf(parsed),
    finishReasons: told.map(({ finish_reason: reason }) => reason),
  };
}

function invalidAnswer(): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: 'The upstream server sent an invalid response.',
  });
}

type Choice = JsonObject & { readonly finish_reason: FinishReason };

function toChoice(choice: JsonObject, position: number, shape: AnswerShape): Choice {
  const message = isJsonObject(choice.message) ? choice.message : {};
  const calls = toCalls(message.tool_calls, shape);
  const functionCall = isJsonObject(message.function_call) ? message.function_call : undefined;
  const reason = toFinishReason(choice.finish_reason, calls.length > 0, functionCall !== undefined);
  if (reason === null) {
    throw new GatewayError('upstream_incomplete_response', {
      message: 'The upstream server ended the response before it was complete.',
    });
  }
  return {
    index: shape.index + (typeof choice.index === 'number' ? choice.index : position),
    message: toMessage(message, calls, functionCall, shape),
    logprobs: toLogprobs(choice.logprobs),
    finish_reason: reason,
  };
}

function toMessage(
  message: JsonObject,
  calls: readonly JsonObject[],
  functionCall: JsonObject | undefined,
  shape: AnswerShape,
): JsonObject {
  const thinking = reasoningOf(message);
  const hasCalls = calls.length > 0 || functionCall !== undefined;
  const { content, refusal, annotations, audio } = message;
  const text = typeof content === 'string' && content !== '' ? content : undefined;
  return {
    role: 'assistant',
    content: text ?? (hasCalls || typeof refusal === 'string' || isJsonObject(audio) ? null : ''),
    refusal: typeof refusal === 'string' ? refusal : null,
    annotations: Array.isArray(annotations) ? annotations : [],
    ...(isJsonObject(audio) && { audio }),
    ...(thinking !== '' && reasoningFields(shape.reasoningKeys, thinking)),
    ...(functionCall && { function_call: functionCall }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** Ids are what results are told apart by: one that is missing or was used before is made. */
function toCalls(value: unknown, shape: AnswerShape): JsonObject[] {
  if (!Array.isArray(value)) return [];
  const ids = new Set<string>();
  const calls = value.filter(isJsonObject).map((call) => {
    const { id } = call;
    const isFree = typeof id === 'string' && id !== '' && !ids.has(id);
    if (isFree) ids.add(id);
    return { id: isFree ? id : `call_${shape.newId()}`, ...toCall(call) };
  });
  return shape.firstCallOnly ? calls.slice(0, 1) : calls;
}

function toCall({ type, function: called, custom }: JsonObject): JsonObject {
  if (type === 'custom') return { type, custom };
  const { name, arguments: given } = isJsonObject(called) ? called : {};
  if (typeof name !== 'string' || name === '') throw namelessCall();
  return { type: 'function', function: { name, arguments: argumentsText(given) || '{}' } };
}
