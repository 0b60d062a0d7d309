/** OpenAI's messages → Ollama's: string contents, bare base64 images, arguments as objects. */

import type { Message } from 'ollama';
import { toolName, type ChatMessage, type ChatRequest, type Content } from '../../core/chat.ts';
import type { Target } from '../../core/fleet.ts';
import { isJsonObject, parseJson } from '../../core/json.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { mediaOf, NO_IMAGES, type Images } from './media.ts';

/** Ollama's message with the fields that its own client does not know yet. */
interface OllamaMessage extends Omit<Message, 'tool_calls' | 'images'> {
  tool_call_id?: string;
  images?: string[];
}

/**
 * The JSON text of the messages, one for one and in order: templates demand strict alternation.
 * Text and no objects, so that the arguments of earlier calls go back to the last digit as they
 * came. `note` is told to the model with the system's own words.
 */
export function printMessages(chat: ChatRequest, target: Target, note = ''): string {
  const { body, images = NO_IMAGES, prefill } = chat;
  const { messages } = body;
  const spoken = isRemote(target) && messages.every(isSystem) ? messages.length - 1 : -1;
  const [opening] = messages;
  const noted = note !== '' && opening && isSystem(opening) ? 0 : -1;
  const said: SaidCalls = { names: new Map(), legacyIds: new Map() };
  const printed = messages.map((message, index) => {
    for (const call of message.tool_calls ?? []) said.names.set(call.id, toolName(call));
    if (message.function_call) said.legacyIds.set(message.function_call.name, legacyId(index));
    if (message.role === 'assistant') return printAssistantMessage(message, index);
    const ours = toOllamaMessage(message, index, said, images);
    return JSON.stringify({
      ...ours,
      ...(index === noted && { content: `${ours.content}\n\n${note}` }),
      ...(index === spoken && { role: 'user' }),
    });
  });
  if (note !== '' && noted < 0) printed.unshift(systemMessage(note, target));
  // Ollama goes on with a last message of the assistant.
  if (prefill !== undefined) printed.push(`{"role":"assistant","content":${decodeUtf8(prefill)}}`);
  return `[${printed.join(',')}]`;
}

/** The calls up to a message. */
interface SaidCalls {
  /** Call id → function name: Ollama's templates want the name with the result. */
  readonly names: Map<string, string>;
  /** Function name → the id of its latest call in the older form, which has none of its own. */
  readonly legacyIds: Map<string, string>;
}

function legacyId(messageIndex: number): string {
  return `call_${String(messageIndex)}`;
}

/** `developer` too: most templates drop that role. */
function isSystem({ role }: ChatMessage): boolean {
  return role === 'system' || role === 'developer';
}

/** With the model's own words, which Ollama says only when the request has none. */
function systemMessage(note: string, { model }: Target): string {
  const content = model?.system ? `${model.system}\n\n${note}` : note;
  return JSON.stringify({ role: 'system', content });
}

/** Run by Ollama Cloud, which says nothing at all when nobody but the system has spoken. */
function isRemote({ model, upstreamModel }: Target): boolean {
  return model?.isRemote === true || /[:-]cloud$/.test(upstreamModel);
}

function toOllamaMessage(
  message: ChatMessage,
  index: number,
  said: SaidCalls,
  images: Images,
): OllamaMessage {
  const content = textOf(message.content);
  switch (message.role) {
    case 'user': {
      const media = mediaOf(message.content, index, images);
      return { role: 'user', content, ...(media.length > 0 && { images: media }) };
    }
    case 'function': {
      const id = said.legacyIds.get(message.name ?? '');
      return {
        role: 'tool',
        content,
        ...(message.name && { tool_name: message.name }),
        ...(id && { tool_call_id: id }),
      };
    }
    case 'tool': {
      const id = message.tool_call_id ?? '';
      const name = message.name ?? said.names.get(id);
      return { role: 'tool', content, ...(name && { tool_name: name }), tool_call_id: id };
    }
    default:
      return { role: 'system', content };
  }
}

function printAssistantMessage(message: ChatMessage, index: number): string {
  // Parts of one answer, which no line break divided.
  const text = textOf(message.content, '');
  const thinking = message.reasoning_content ?? message.reasoning;
  const calls = callsOf(message, index);
  const fields: OllamaMessage = {
    role: 'assistant',
    content: text === '' ? (message.refusal ?? '') : text,
    ...(thinking && { thinking }),
  };
  const printed = JSON.stringify(fields);
  return calls.length === 0 ? printed : `${printed.slice(0, -1)},"tool_calls":[${calls.join(',')}]}`;
}

function callsOf({ tool_calls: calls, function_call: legacy }: ChatMessage, messageIndex: number): string[] {
  const printed = (calls ?? []).map((call, index) =>
    call.type === 'function'
      ? printCall(index, call.function.name, toArguments(call.function.arguments), call.id)
      : printCall(index, call.custom.name, JSON.stringify({ input: call.custom.input }), call.id),
  );
  if (legacy) {
    const id = legacyId(messageIndex);
    printed.push(printCall(printed.length, legacy.name, toArguments(legacy.arguments), id));
  }
  return printed;
}

function printCall(index: number, name: string, argumentsText: string, id: string): string {
  const called = `"index":${String(index)},"name":${JSON.stringify(name)},"arguments":${argumentsText}`;
  return `{"id":${JSON.stringify(id)},"function":{${called}}}`;
}

/**
 * What a model once wrote goes back as an object, whatever it is: a refusal here would make the
 * whole conversation unusable from this turn on.
 */
function toArguments(text: string): string {
  if (text.trim() === '') return '{}';
  const value = parseJson(text);
  if (value === undefined) return JSON.stringify({ _raw: text });
  return isJsonObject(value) ? text : `{"value":${text}}`;
}

function textOf(content: Content, separator = '\n'): string {
  if (typeof content === 'string') return content;
  return (content ?? [])
    .flatMap((part) => (part.type === 'text' ? part.text : part.type === 'refusal' ? part.refusal : []))
    .join(separator);
}
