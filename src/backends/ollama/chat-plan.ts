/** A chat in Ollama's terms, and what of it is lost on the way. */

import type { ChatRequest } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Target } from '../../core/fleet.ts';
import { isJsonObject } from '../../core/json.ts';
import { sliceJson } from '../../wire/json-slice.ts';
import { CHAT_PARAMETERS, settle, settleOptions, type SettledOptions, type Wish } from './settle.ts';
import { settleThink } from './think.ts';
import { planTools, type ToolPlan } from './tool-choice.ts';

export interface ChatPlan extends SettledOptions {
  readonly tools: ToolPlan;
  readonly think: unknown;
  /** JSON text; undefined when the model may print what it wants, or a call is forced. */
  readonly format: string | undefined;
  /** Parameters that another place of the request, or the operator, has overruled. */
  readonly lost: readonly string[];
}

/** Throws GatewayError (400) for what cannot be understood. */
export function planChat(chat: ChatRequest, target: Target): ChatPlan {
  const { body } = chat;
  const lost: string[] = [];
  const tools = planTools(body);
  return {
    tools,
    think: settleThink(body, target, lost),
    format: settleFormat(chat, tools.forced.length > 0, lost),
    ...settleOptions(body, target, CHAT_PARAMETERS, lost),
    lost,
  };
}

/** OpenAI's parameter before Ollama's. A call that is forced has a format of its own. */
function settleFormat(chat: ChatRequest, isForced: boolean, lost: string[]): string | undefined {
  const wishes = [...responseFormat(chat), ...ollamaFormat(chat)];
  if (!isForced) return settle(wishes, lost);
  lost.push(...wishes.map(({ param }) => param));
  return undefined;
}

type FormatWish = Wish<string> & { readonly param: string };

/** A schema to the last digit as the client wrote it. */
function responseFormat({ body, json }: ChatRequest): FormatWish[] {
  const type = body.response_format?.type ?? 'text';
  if (type === 'text') return [];
  const schema = sliceJson(json, ['response_format', 'json_schema', 'schema']) ?? '{}';
  return [{ param: 'response_format', value: type === 'json_object' ? '"json"' : schema }];
}

function ollamaFormat({ body: { format }, json }: ChatRequest): FormatWish[] {
  if (format === null || format === undefined || format === '') return [];
  if (format === 'json') return [{ param: 'format', value: '"json"' }];
  if (isJsonObject(format)) return [{ param: 'format', value: sliceJson(json, ['format']) ?? '{}' }];
  throw new GatewayError('invalid_request', {
    message: 'Invalid \'format\': expected "json" or a JSON Schema.',
    param: 'format',
    code: 'invalid_value',
  });
}
