/** The client's own request body with the few members that must differ for the backend. */

import type { ChatMessage, ChatRequest } from '../../core/chat.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import type { JsonText } from '../../core/stream.ts';
import { printMembers, sliceMembers } from '../../wire/json-slice.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { memberOf, overruledParams } from './overruled.ts';

/** How compatible servers differ from OpenAI in what they accept. */
export interface Dialect {
  /** Their templates know no developer role. */
  readonly developerAsSystem: boolean;
  /** They read `max_tokens` only. */
  readonly maxTokensOnly: boolean;
  /** They heed `n`. */
  readonly hasChoices: boolean;
  /** They go on with a last message of the assistant when they are told to. */
  readonly canContinue: boolean;
}

/** All others are passed on; what the server makes of them is its own. */
export function ignoredParams({ body }: ChatRequest, target: Target, dialect: Dialect): readonly string[] {
  const { max_tokens: older, max_completion_tokens: newer } = body;
  const isLost = dialect.maxTokensOnly && older && newer && older !== newer;
  return [...overruledParams(target, memberOf(body)), ...(isLost ? ['max_tokens'] : [])];
}

/** Edited as text: members that are not touched arrive to the last digit as the client wrote them. */
export function toChatCompletion(
  { body, json, prefill }: ChatRequest,
  target: Target,
  dialect: Dialect,
): UpstreamRequest {
  const members = sliceMembers(json);
  members.set('model', JSON.stringify(target.upstreamModel));
  if (body.stream === true) {
    // Always asked for: the gateway counts tokens whether or not its client wants to.
    members.set('stream_options', JSON.stringify({ ...body.stream_options, include_usage: true }));
  }
  if (Array.isArray(body.tools) && body.tools.length === 0) members.delete('tools');
  if (dialect.developerAsSystem && body.messages.some(({ role }) => role === 'developer')) {
    members.set('messages', JSON.stringify(body.messages.map(developerToSystem)));
  }
  if (prefill !== undefined) continueFrom(members, prefill);
  const limit = members.get('max_completion_tokens');
  if (dialect.maxTokensOnly && limit !== undefined) {
    members.delete('max_completion_tokens');
    members.set('max_tokens', limit);
  }
  for (const [name, value] of Object.entries(target.options)) members.set(name, JSON.stringify(value));
  return { method: 'POST', path: '/chat/completions', body: printMembers(members) };
}

/** vLLM's parameters for a message of the assistant that is not complete. */
function continueFrom(members: Map<string, string>, prefill: JsonText): void {
  const messages = members.get('messages') ?? '[]';
  const begun = `{"role":"assistant","content":${decodeUtf8(prefill)}}`;
  members.set('messages', `${messages.slice(0, messages.lastIndexOf(']'))},${begun}]`);
  members.set('continue_final_message', 'true');
  members.set('add_generation_prompt', 'false');
}

function developerToSystem(message: ChatMessage): ChatMessage {
  return message.role === 'developer' ? { ...message, role: 'system' } : message;
}
