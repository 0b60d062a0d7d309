/**
 * What OpenAI-compatible servers send → what OpenAI's schema allows: the parts that a streamed
 * chunk and a whole answer have in common. Source: the field-by-field comparison in
 * docs/compatibility.md.
 */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { AnswerShape } from '../../core/kind.ts';
import type { FinishReason, Usage } from '../../core/stream.ts';

const FINISH_REASONS: ReadonlySet<unknown> = new Set<FinishReason>([
  'stop',
  'length',
  'tool_calls',
  'content_filter',
  'function_call',
]);

/** null: not finished. Reasons that OpenAI does not know become `stop`; an abort is no answer. */
export function toFinishReason(
  value: unknown,
  hasCalls: boolean,
  hasFunctionCall: boolean,
): FinishReason | null {
  if (value === null || value === undefined || value === '') return null;
  if (value === 'abort' || value === 'error') {
    throw new GatewayError('upstream_incomplete_response', {
      message: 'The upstream server gave the answer up before it was complete.',
    });
  }
  const reason = FINISH_REASONS.has(value) ? (value as FinishReason) : 'stop';
  if (reason !== 'stop') return reason;
  return hasCalls ? 'tool_calls' : hasFunctionCall ? 'function_call' : 'stop';
}

export function toUsage(value: JsonObject): Usage {
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = value;
  return {
    prompt: count(value.prompt_tokens),
    completion: count(value.completion_tokens),
    cached: isJsonObject(prompt) ? count(prompt.cached_tokens) : 0,
    reasoning: isJsonObject(completion) ? count(completion.reasoning_tokens) : 0,
  };
}

/** All counts and details there, none of them null; what else the details tell stays. */
export function toUsageObject(value: JsonObject, usage: Usage): JsonObject {
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = value;
  return {
    prompt_tokens: usage.prompt,
    completion_tokens: usage.completion,
    total_tokens: usage.prompt + usage.completion,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0, ...counts(prompt) },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
      ...counts(completion),
    },
  };
}

function counts(details: unknown): JsonObject {
  if (!isJsonObject(details)) return {};
  return Object.fromEntries(Object.entries(details).filter(([, value]) => typeof value === 'number'));
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}

/** The thinking of a delta or message under whichever name the server uses. */
export function reasoningOf(fields: JsonObject): string {
  const value = fields.reasoning_content ?? fields.reasoning;
  return typeof value === 'string' ? value : '';
}

/** Both lists there, as the schema demands; null when there is nothing in it. */
export function toLogprobs(value: unknown): JsonObject | null {
  if (!isJsonObject(value)) return null;
  return { content: value.content ?? null, refusal: value.refusal ?? null };
}

/** The identity of an answer: the server's where it is usable, constant for all chunks and parts. */
export function identityOf(first: JsonObject, shape: AnswerShape): JsonObject {
  const { id, created, system_fingerprint: fingerprint, service_tier: tier } = first;
  return {
    id: typeof id === 'string' && id !== '' && !shape.isPart ? id : shape.id,
    created: isUnixTime(created) && !shape.isPart ? created : shape.created,
    model: shape.model,
    ...(typeof fingerprint === 'string' && { system_fingerprint: fingerprint }),
    ...(typeof tier === 'string' && { service_tier: tier }),
  };
}

function isUnixTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0;
}

export function argumentsText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null || value === undefined ? '' : JSON.stringify(value);
}
