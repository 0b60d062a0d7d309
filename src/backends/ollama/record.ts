/** One record of Ollama's streams: what they have in common. */

import type { ChatResponse, GenerateResponse } from 'ollama';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject } from '../../core/json.ts';
import type { FinishReason, Usage } from '../../core/stream.ts';
import { messageFailure } from './failure.ts';

/** The fields are those of Ollama's own client plus newer ones; the values are not to be believed. */
export type OllamaRecord = Readonly<
  Partial<Record<keyof ChatResponse | keyof GenerateResponse | 'prompt_eval_cached_count' | 'error', unknown>>
>;

/**
 * `promptParam`: the parameter that holds what the model reads. Throws GatewayError for what is no
 * record, and for what an error record says.
 */
export function parseRecord(json: string, promptParam = 'messages'): OllamaRecord {
  let record: unknown;
  try {
    record = JSON.parse(json);
  } catch (cause) {
    throw invalidRecord(cause);
  }
  if (!isJsonObject(record)) throw invalidRecord();
  const failure = errorText(record);
  if (failure !== undefined) throw messageFailure(failure, promptParam);
  return record;
}

function invalidRecord(cause?: unknown): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: 'The upstream server sent an invalid response.',
    cause,
  });
}

/** `{"error":"…"}`; one server version wrote `{"error parsing tool call":"…"}` (ollama#11781). */
function errorText(record: OllamaRecord): string | undefined {
  for (const [key, value] of Object.entries(record)) {
    if (key === 'error' && value !== null && value !== '') {
      return typeof value === 'string' ? value : JSON.stringify({ error: value });
    }
    if (key.startsWith('error ')) return `${key}: ${String(value)}`;
  }
  return undefined;
}

/** `load`, `unload`, '' and reasons not known yet are a stop. */
export function finishReason(reason: unknown, hasCalls: boolean): FinishReason {
  if (reason === 'length') return 'length';
  return hasCalls ? 'tool_calls' : 'stop';
}

/** Some servers send the reason without `done`. */
export function isLast({ done, done_reason: reason }: OllamaRecord): boolean {
  return done === true || (typeof reason === 'string' && reason !== '');
}

export function countsOf(record: OllamaRecord): Usage {
  return {
    prompt: count(record.prompt_eval_count),
    completion: count(record.eval_count),
    cached: count(record.prompt_eval_cached_count),
    reasoning: 0,
  };
}

/** Counts of zero are left out on the wire. */
function count(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0;
}
