/** OpenAI's messages → Ollama's: string contents, bare base64 images, arguments as objects. */

import type { Message } from 'ollama';
import type { ChatMessage, Content, MessageToolCall } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';

export interface OllamaToolCall {
  readonly id?: string;
  readonly function: { readonly index: number; readonly name: string; readonly arguments: JsonObject };
}

/** Ollama's message with the fields that its own client does not know yet. */
export interface OllamaMessage extends Omit<Message, 'tool_calls' | 'images'> {
  tool_call_id?: string;
  tool_calls?: OllamaToolCall[];
  images?: string[];
}

/** Keeps order and count, one message for one: templates demand strict alternation. */
export function toOllamaMessages(messages: readonly ChatMessage[]): OllamaMessage[] {
  /** Call id → function name: Ollama's templates want the name with the result. */
  const callNames = new Map<string, string>();
  return messages.map((message, index) => {
    for (const call of message.tool_calls ?? []) callNames.set(call.id, call.function.name);
    return toOllamaMessage(message, index, callNames);
  });
}

function toOllamaMessage(
  message: ChatMessage,
  index: number,
  callNames: ReadonlyMap<string, string>,
): OllamaMessage {
  const content = textOf(message.content);
  switch (message.role) {
    case 'developer':
    case 'system':
      // Most templates drop the developer role.
      return { role: 'system', content };
    case 'user': {
      const images = imagesOf(message.content, index);
      return { role: 'user', content, ...(images.length > 0 && { images }) };
    }
    case 'assistant':
      return toAssistantMessage(message, content);
    case 'function':
      return { role: 'tool', content, ...(message.name && { tool_name: message.name }) };
    case 'tool': {
      const id = message.tool_call_id ?? '';
      const name = message.name ?? callNames.get(id);
      return { role: 'tool', content, ...(name && { tool_name: name }), tool_call_id: id };
    }
  }
}

function toAssistantMessage(message: ChatMessage, text: string): OllamaMessage {
  const thinking = message.reasoning_content ?? message.reasoning;
  const calls = (message.tool_calls ?? []).map(toOllamaCall);
  if (message.function_call) {
    calls.push({
      function: {
        index: calls.length,
        name: message.function_call.name,
        arguments: toArguments(message.function_call.arguments),
      },
    });
  }
  return {
    role: 'assistant',
    content: text === '' ? (message.refusal ?? '') : text,
    ...(thinking && { thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function toOllamaCall(call: MessageToolCall, index: number): OllamaToolCall {
  return {
    id: call.id,
    function: { index, name: call.function.name, arguments: toArguments(call.function.arguments) },
  };
}

/**
 * What a model once wrote goes back as an object, whatever it is: a refusal here would make the
 * whole conversation unusable from this turn on.
 */
function toArguments(text: string): JsonObject {
  if (text.trim() === '') return {};
  const value = parseJson(text);
  if (value === undefined) return { _raw: text };
  return isJsonObject(value) ? value : { value };
}

function textOf(content: Content): string {
  if (typeof content === 'string') return content;
  return (content ?? [])
    .flatMap((part) => (part.type === 'text' ? part.text : part.type === 'refusal' ? part.refusal : []))
    .join('\n');
}

function imagesOf(content: Content, messageIndex: number): string[] {
  if (typeof content === 'string' || !content) return [];
  return content.flatMap((part, partIndex) => {
    if (part.type === 'text' || part.type === 'refusal') return [];
    const param = `messages[${String(messageIndex)}].content[${String(partIndex)}]`;
    if (part.type === 'image_url') {
      const url = typeof part.image_url === 'string' ? part.image_url : part.image_url.url;
      return imageBase64(url, param);
    }
    throw new GatewayError('unsupported_parameter', {
      message: `The model's backend cannot read parts of type '${part.type}'. Send text or images.`,
      param,
    });
  });
}

const DATA_URI = /^data:([^,]*),/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** A data URI, or base64 alone as some clients send it → padded standard base64. */
function imageBase64(url: string, param: string): string {
  const uri = DATA_URI.exec(url);
  const data = uri ? url.slice(uri[0].length) : url;
  const isBase64 = uri === null || /;\s*base64$/i.test(uri[1] ?? '');
  const standard = isBase64 ? toStandardBase64(data) : percentToBase64(data);
  if (standard !== undefined && standard !== '') return standard;
  throw new GatewayError('invalid_request', {
    message: `Invalid '${param}.image_url': expected a data URI with base64 image data.`,
    param: `${param}.image_url`,
    code: 'invalid_value',
  });
}

/** Accepts the URL-safe alphabet, line breaks and missing padding. */
function toStandardBase64(data: string): string | undefined {
  const clean = safeDecodeURI(data).replace(/\s+/g, '').replace(/-/g, '+').replace(/_/g, '/');
  const body = clean.replace(/=+$/, '');
  if (body.length % 4 === 1) return undefined;
  const padded = body + '='.repeat((4 - (body.length % 4)) % 4);
  return BASE64.test(padded) ? padded : undefined;
}

function percentToBase64(data: string): string | undefined {
  const bytes = data.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  try {
    return btoa(bytes);
  } catch {
    return undefined; // a character that is no byte
  }
}

function safeDecodeURI(data: string): string {
  return data.includes('%') ? data.replace(/%2B/gi, '+').replace(/%2F/gi, '/').replace(/%3D/gi, '=') : data;
}
