/** Prompts and answers in the form in which OpenTelemetry's GenAI conventions put them into spans. */

import { isJsonObject, parseJson, type JsonObject } from '../core/json.ts';
import type { ByteText } from '../core/stream.ts';
import { decodeUtf8 } from '../wire/utf8.ts';

/** Of one text. */
const MAX_TEXT_CHARACTERS = 8192;
/** Of all messages of a span, as JSON. */
const MAX_MESSAGES_CHARACTERS = 65_536;
const EVENT = 'data: ';

export function cutText(text: string): string {
  return text.length <= MAX_TEXT_CHARACTERS ? text : `${text.slice(0, MAX_TEXT_CHARACTERS)}…`;
}

/** The end of a conversation says most of what was asked. */
export function lastThatFit(messages: readonly JsonObject[]): JsonObject[] {
  let left = MAX_MESSAGES_CHARACTERS;
  const kept: JsonObject[] = [];
  for (const message of [...messages].reverse()) {
    left -= JSON.stringify(message).length;
    if (left < 0) break;
    kept.unshift(message);
  }
  return kept;
}

/** One answer as it comes together. */
interface Told {
  text: string;
  thinking: string;
  readonly calls: Map<number, { id: unknown; name: unknown; arguments: string }>;
  reason: unknown;
}

/** `answer`: what a client of a chat or a text completion got, a body or events; its end may be missing. */
export function toldMessages(answer: ByteText): JsonObject[] {
  const choices = new Map<number, Told>();
  for (const body of bodiesOf(answer)) {
    for (const choice of Array.isArray(body.choices) ? body.choices.filter(isJsonObject) : []) {
      const index = Number(choice.index);
      const told = choices.get(index) ?? { text: '', thinking: '', calls: new Map(), reason: undefined };
      choices.set(index, told);
      take(told, choice);
    }
  }
  return lastThatFit(Array.from(choices.values(), toMessage));
}

function bodiesOf(answer: ByteText): JsonObject[] {
  const texts = answer.startsWith('{')
    ? [answer]
    : answer
        .split('\n')
        .filter((line) => line.startsWith(EVENT))
        .map((line) => line.slice(EVENT.length));
  return texts.map((text) => parseJson(decodeUtf8(text as ByteText))).filter(isJsonObject);
}

function take(told: Told, { text, delta, message, finish_reason: reason }: JsonObject): void {
  if (typeof reason === 'string') told.reason = reason;
  if (typeof text === 'string') told.text += text;
  const said = isJsonObject(delta) ? delta : message;
  if (!isJsonObject(said)) return;
  if (typeof said.content === 'string') told.text += said.content;
  const thinking = said.reasoning ?? said.reasoning_content;
  if (typeof thinking === 'string') told.thinking += thinking;
  const calls = Array.isArray(said.tool_calls) ? said.tool_calls.filter(isJsonObject) : [];
  calls.forEach((call, position) => takeCall(told, call, position));
}

function takeCall({ calls }: Told, { index, id, function: called }: JsonObject, position: number): void {
  const at = typeof index === 'number' ? index : position;
  const { name, arguments: piece } = isJsonObject(called) ? called : {};
  const call = calls.get(at) ?? { id, name, arguments: '' };
  calls.set(at, call);
  if (typeof piece === 'string') call.arguments += piece;
}

function toMessage({ text, thinking, calls, reason }: Told): JsonObject {
  return {
    role: 'assistant',
    parts: [
      ...(thinking === '' ? [] : [{ type: 'reasoning', content: cutText(thinking) }]),
      ...(text === '' ? [] : [{ type: 'text', content: cutText(text) }]),
      ...Array.from(calls.values(), (call) => ({
        type: 'tool_call',
        ...call,
        arguments: cutText(call.arguments),
      })),
    ],
    ...(reason !== undefined && { finish_reason: reason }),
  };
}
