/** What traces tell of a chat: its parameters, and its messages where the operator wants them. */

import type { ChatBody, ChatMessage, ContentPart, MessageToolCall } from '../../core/chat.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RequestTraits } from '../../core/tracing.ts';
import { cutText, lastThatFit, toldMessages } from '../trace-messages.ts';

export function chatTraits(body: ChatBody): RequestTraits {
  const { max_tokens, max_completion_tokens, response_format: format } = body;
  return {
    operation: 'chat',
    outputType: format ? (format.type === 'text' ? 'text' : 'json') : undefined,
    choices: body.n,
    maxTokens: max_completion_tokens ?? max_tokens,
    temperature: body.temperature,
    topP: body.top_p,
    frequencyPenalty: body.frequency_penalty,
    presencePenalty: body.presence_penalty,
    seed: body.seed,
    reasoningEffort: body.reasoning_effort,
    content: {
      asked: () => lastThatFit(body.messages.map(toMessage)),
      told: toldMessages,
    },
  };
}

function toMessage(message: ChatMessage): JsonObject {
  const { role, name, tool_calls: calls, function_call: call, tool_call_id: id } = message;
  const texts = contentOf(message);
  // What a tool said is a part of its own kind.
  const parts = role === 'tool' ? [{ type: 'tool_call_response', id, response: textOf(texts) }] : texts;
  return {
    role,
    ...(name && { name }),
    parts: [
      ...parts,
      ...(calls ?? []).map(toCall),
      ...(call ? [{ type: 'tool_call', name: call.name, arguments: cutText(call.arguments) }] : []),
    ],
  };
}

function contentOf({ content, reasoning, reasoning_content: thinking }: ChatMessage): JsonObject[] {
  const thought = reasoning ?? thinking;
  const given = typeof content === 'string' ? [{ type: 'text', text: content } as const] : (content ?? []);
  return [...(thought ? [{ type: 'reasoning', content: cutText(thought) }] : []), ...given.map(toPart)];
}

function textOf(parts: readonly JsonObject[]): string {
  return parts.map(({ content }) => (typeof content === 'string' ? content : '')).join('');
}

/** Media by their kind only: their bytes are no text. */
function toPart(part: ContentPart): JsonObject {
  switch (part.type) {
    case 'text':
      return { type: 'text', content: cutText(part.text) };
    case 'refusal':
      return { type: 'text', content: cutText(part.refusal) };
    case 'image_url':
      return { type: 'blob', modality: 'image' };
    case 'input_audio':
      return { type: 'blob', modality: 'audio' };
    case 'file':
      return { type: 'file' };
  }
}

function toCall(call: MessageToolCall): JsonObject {
  const { name, text } =
    call.type === 'function'
      ? { name: call.function.name, text: call.function.arguments }
      : { name: call.custom.name, text: call.custom.input };
  return { type: 'tool_call', id: call.id, name, arguments: cutText(text) };
}
