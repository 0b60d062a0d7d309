/** OpenAI's chat request → the body of Ollama's POST /api/chat. */

import type { ChatRequest as OllamaChatRequest } from 'ollama';
import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { printMembers, sliceJson } from '../../wire/json-slice.ts';
import { checkCapabilities } from './capabilities.ts';
import { printMessages } from './messages.ts';
import { extraOptions, refuseUnsupported } from './parameters.ts';
import { toThink } from './think.ts';
import { forcedFormat, forcedNote } from './forced-format.ts';
import { planTools, schemasOf, toolsParam, type ToolPlan } from './tool-choice.ts';
import { createSchemaBudget, printTool } from './tools.ts';

/**
 * Always streamed: the answer can then be cancelled, errors come early, and no header timeout
 * between us and the server can cut a slow load. `truncate: false`: a prompt that does not fit is
 * an error with both numbers, not an answer to half of the question. Tools, schemas and messages are
 * printed by themselves, so that their numbers keep all digits.
 */
export function toOllamaChat(chat: ChatRequest, target: Target): UpstreamRequest {
  const { body: request } = chat;
  refuseUnsupported(request);
  const { options: fixedOptions, fields } = splitFixed(target.options);
  const think = toThink(request, target);
  const plan = planTools(request);
  checkCapabilities(chat, plan, target);
  const texts = printTools(chat, plan);
  const options = { ...extraOptions(request, target), ...toOptions(request, target), ...fixedOptions };
  const body = {
    model: target.upstreamModel,
    ...(think !== undefined && { think }),
    ...(request.logprobs === true && { logprobs: true }),
    ...(typeof request.top_logprobs === 'number' && { top_logprobs: request.top_logprobs }),
    stream: true,
    truncate: false,
    ...(Object.keys(options).length > 0 && { options }),
    ...fields,
  } satisfies Omit<OllamaChatRequest, 'think' | 'tools' | 'messages' | 'format'> & JsonObject;
  const members = new Map([
    ['messages', printMessages(chat, target, texts.note)],
    ...(texts.tools === undefined ? [] : [['tools', texts.tools] as const]),
    ...(texts.format === undefined ? [] : [['format', texts.format] as const]),
  ]);
  return {
    method: 'POST',
    path: '/api/chat',
    body: `${printMembers(members).slice(0, -1)},${JSON.stringify(body).slice(1)}`,
  };
}

interface ToolTexts {
  readonly tools?: string;
  readonly format?: string | undefined;
  readonly note?: string;
}

function printTools(chat: ChatRequest, { offered, forced }: ToolPlan): ToolTexts {
  if (offered.length + forced.length === 0) return { format: formatOf(chat) };
  const schemaOf = schemasOf(chat);
  const budget = createSchemaBudget(toolsParam(chat.body));
  if (forced.length > 0) {
    return { format: forcedFormat(forced, schemaOf, budget), note: forcedNote(forced, schemaOf) };
  }
  const tools = offered.map((tool) => printTool(tool, schemaOf(tool), budget));
  return { tools: `[${tools.join(',')}]`, format: formatOf(chat) };
}

/** JSON text; a schema to the last digit as the client wrote it. */
function formatOf({ body, json }: ChatRequest): string | undefined {
  const type = body.response_format?.type;
  if (type === 'json_object') return '"json"';
  return type === 'json_schema' ? sliceJson(json, ['response_format', 'json_schema', 'schema']) : undefined;
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
