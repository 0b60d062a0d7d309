/** OpenAI's chat request → the body of Ollama's POST /api/chat. */

import type { ChatRequest as OllamaChatRequest } from 'ollama';
import type { ChatBody, ChatRequest, ResponseFormat } from '../../core/chat.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { checkCapabilities } from './capabilities.ts';
import { printMessages } from './messages.ts';
import { extraOptions, refuseUnsupported } from './parameters.ts';
import { toThink } from './think.ts';
import { forcedFormat, forcedNote, planTools } from './tool-choice.ts';
import { toOllamaTool } from './tools.ts';

/**
 * Always streamed: the answer can then be cancelled, errors come early, and no header timeout
 * between us and the server can cut a slow load. `truncate: false`: a prompt that does not fit is
 * an error with both numbers, not an answer to half of the question.
 */
export function toOllamaChat(chat: ChatRequest, target: Target): UpstreamRequest {
  const { body: request } = chat;
  refuseUnsupported(request);
  const { options: fixedOptions, fields } = splitFixed(target.options);
  const think = toThink(request, target);
  const plan = planTools(request);
  checkCapabilities(chat, plan, target);
  const { offered, forced } = plan;
  const isForced = forced.length > 0;
  const format = isForced ? forcedFormat(forced) : toFormat(request.response_format);
  const note = isForced ? forcedNote(forced) : '';
  const options = { ...extraOptions(request, target), ...toOptions(request, target), ...fixedOptions };
  const body = {
    model: target.upstreamModel,
    ...(offered.length > 0 && { tools: offered.map(toOllamaTool) }),
    ...(format !== undefined && { format }),
    ...(think !== undefined && { think }),
    ...(request.logprobs === true && { logprobs: true }),
    ...(typeof request.top_logprobs === 'number' && { top_logprobs: request.top_logprobs }),
    stream: true,
    truncate: false,
    ...(Object.keys(options).length > 0 && { options }),
    ...fields,
  } satisfies Omit<OllamaChatRequest, 'think' | 'tools' | 'messages'> & JsonObject;
  const rest = JSON.stringify(body).slice(1);
  return {
    method: 'POST',
    path: '/api/chat',
    body: `{"messages":${printMessages(chat, note)},${rest}`,
  };
}

/** Fields of the request itself; what else the operator fixed for a model belongs into `options`. */
const TOP_LEVEL = new Set(['keep_alive', 'think', 'truncate', 'shift']);

export function splitFixed(fixed: JsonObject): { options: JsonObject; fields: JsonObject } {
  const entries = Object.entries(fixed);
  return {
    options: Object.fromEntries(entries.filter(([name]) => !TOP_LEVEL.has(name))),
    fields: Object.fromEntries(entries.filter(([name]) => TOP_LEVEL.has(name))),
  };
}

/** What chats and text completions have in common. */
type Sampling = Pick<
  ChatBody,
  | 'max_completion_tokens'
  | 'max_tokens'
  | 'temperature'
  | 'top_p'
  | 'seed'
  | 'frequency_penalty'
  | 'presence_penalty'
  | 'stop'
>;

/** Absent parameters stay absent, so that the model's own settings hold. */
export function toOptions(request: Sampling, target: Target): JsonObject {
  const options: Record<string, unknown> = {
    num_predict: request.max_completion_tokens ?? request.max_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    seed: foldSeed(request.seed),
    frequency_penalty: request.frequency_penalty,
    presence_penalty: request.presence_penalty,
    stop: mergeStops(request.stop, target.model?.stops ?? []),
  };
  return Object.fromEntries(Object.entries(options).filter(([, v]) => v !== null && v !== undefined));
}

/** Ollama takes negative numbers and 0xFFFFFFFF for "random"; for OpenAI every seed is a seed. */
function foldSeed(seed: ChatBody['seed']): number | undefined {
  if (seed === null || seed === undefined) return undefined;
  const range = 0xffff_ffffn; // 0 … 4294967294
  return Number(((BigInt(seed) % range) + range) % range);
}

/** The option replaces the stops of the model, so they are sent along. */
function mergeStops(stop: ChatBody['stop'], own: readonly string[]): string[] | undefined {
  const asked = (typeof stop === 'string' ? [stop] : (stop ?? [])).filter((s) => s !== '');
  return asked.length === 0 ? undefined : [...new Set([...asked, ...own])];
}

function toFormat(format: ChatBody['response_format']): 'json' | JsonObject | undefined {
  const wanted: ResponseFormat = format ?? { type: 'text' };
  if (wanted.type === 'json_object') return 'json';
  return wanted.type === 'json_schema' ? wanted.json_schema.schema : undefined;
}
