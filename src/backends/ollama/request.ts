/** OpenAI's chat request → the body of Ollama's POST /api/chat. */

import type { ChatRequest as OllamaChatRequest } from 'ollama';
import type { ChatRequest } from '../../core/chat.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { printMembers } from '../../wire/json-slice.ts';
import { checkCapabilities } from './capabilities.ts';
import { planChat, type ChatPlan } from './chat-plan.ts';
import { CHAT_USES } from './chat-uses.ts';
import { forcedFormat, forcedNote } from './forced-format.ts';
import { printMessages } from './messages.ts';
import { planTools, schemasOf, toolsParam } from './tool-choice.ts';
import { createSchemaBudget, printTool } from './tools.ts';
import { refuseUnsupported } from './unsupported.ts';
import { unusedOf } from './uses.ts';

/** Places of the request that have no effect on this target. Throws GatewayError (400) as toOllamaChat does. */
export function ignoredParams(chat: ChatRequest, target: Target): readonly string[] {
  const { body } = chat;
  const plan = planChat(chat, target);
  return [...unusedOf(body, CHAT_USES, { body, target, plan }), ...plan.lost];
}

/** Throws GatewayError (400) for what no model of Ollama can do, or this one cannot. */
export function checkChat({ body }: ChatRequest, target: Target): void {
  refuseUnsupported(body);
  checkCapabilities(body, planTools(body), target);
}

/**
 * Always streamed: the answer can then be cancelled, errors come early, and no header timeout
 * between us and the server can cut a slow load. `truncate: false`: a prompt that does not fit is
 * an error with both numbers, not an answer to half of the question. Tools, schemas and messages are
 * printed by themselves, so that their numbers keep all digits.
 */
export function toOllamaChat(chat: ChatRequest, target: Target): UpstreamRequest {
  const { body: request } = chat;
  checkChat(chat, target);
  const plan = planChat(chat, target);
  const { think, options, fields } = plan;
  const { note, ...printed } = printTools(chat, plan);
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
  const members = new Map(Object.entries({ messages: printMessages(chat, target, note), ...printed }));
  return {
    method: 'POST',
    path: '/api/chat',
    body: `${printMembers(members).slice(0, -1)},${JSON.stringify(body).slice(1)}`,
  };
}

/** As JSON texts. */
interface PrintedTools {
  readonly tools?: string;
  readonly format?: string;
  /** What the model is told of a call that it must make. */
  readonly note?: string;
}

function printTools(chat: ChatRequest, { tools: { offered, forced }, format }: ChatPlan): PrintedTools {
  const wanted = format === undefined ? {} : { format };
  if (offered.length + forced.length === 0) return wanted;
  const schemaOf = schemasOf(chat);
  const budget = createSchemaBudget(toolsParam(chat.body));
  if (forced.length > 0) {
    return { format: forcedFormat(forced, schemaOf, budget), note: forcedNote(forced, schemaOf) };
  }
  const tools = offered.map((tool) => printTool(tool, schemaOf(tool), budget));
  return { tools: `[${tools.join(',')}]`, ...wanted };
}
