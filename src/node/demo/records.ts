/** What the demo says → the records of Ollama's streams, without what every record has. */

import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { answerChat, answerPrompt, tokensOf, type DemoAnswer } from './answers.ts';

const LOADED = { done: true, done_reason: 'load' };

/** Without messages a request only loads the model. */
export function chatRecords(body: JsonObject): JsonObject[] {
  if (!Array.isArray(body.messages) || body.messages.length === 0) {
    return [{ message: { role: 'assistant', content: '' }, ...LOADED }];
  }
  const answer = answerChat(body);
  const { tokens, reason } = limit(answer, body);
  const calls = answer.calls.map((call, index) => ({
    id: `call_demo${Math.random().toString(36).slice(2, 10)}`,
    function: { index, ...call },
  }));
  return [
    ...answer.thinking.map((thinking) => ({ message: { role: 'assistant', content: '', thinking } })),
    ...tokens.map((content) => ({ message: { role: 'assistant', content } })),
    ...(calls.length > 0 ? [{ message: { role: 'assistant', content: '', tool_calls: calls } }] : []),
    { message: { role: 'assistant', content: '' }, ...terminal(answer, tokens.length, reason, body) },
  ];
}

/** Without a prompt a request only loads the model. */
export function promptRecords(body: JsonObject): JsonObject[] {
  if (!body.prompt) return [{ response: '', ...LOADED }];
  const answer = answerPrompt(body);
  const { tokens, reason } = limit(answer, body);
  return [
    ...tokens.map((response) => ({ response })),
    { response: '', ...terminal(answer, tokens.length, reason, body) },
  ];
}

/** num_predict and stop, as a server applies them. */
function limit({ tokens }: DemoAnswer, body: JsonObject): { tokens: readonly string[]; reason: string } {
  const options = isJsonObject(body.options) ? body.options : {};
  const stops = Array.isArray(options.stop) ? options.stop.map(String) : [];
  const text = tokens.join('');
  const end = stops.reduce((least, stop) => {
    const at = text.indexOf(stop);
    return at >= 0 ? Math.min(least, at) : least;
  }, text.length);
  const kept = end < text.length ? tokensOf(text.slice(0, end)) : tokens;
  const most =
    typeof options.num_predict === 'number' && options.num_predict > 0 ? options.num_predict : Infinity;
  return kept.length > most
    ? { tokens: kept.slice(0, most), reason: 'length' }
    : { tokens: kept, reason: 'stop' };
}

function terminal(answer: DemoAnswer, said: number, reason: string, body: JsonObject): JsonObject {
  const count = answer.thinking.length + said + answer.calls.length;
  const prompt = tokensOf(JSON.stringify(body.messages ?? body.prompt ?? '')).length;
  return {
    done: true,
    done_reason: reason,
    total_duration: count * 25_000_000,
    load_duration: 1_000_000,
    prompt_eval_count: prompt,
    prompt_eval_duration: prompt * 1_000_000,
    eval_count: count,
    eval_duration: count * 25_000_000,
  };
}

/** The records of an answer as one, for who did not ask to stream. */
export function mergeChat(records: readonly JsonObject[]): JsonObject {
  const messages = records.map(({ message }) => message).filter(isJsonObject);
  const thoughts = messages.map(({ thinking }) => (typeof thinking === 'string' ? thinking : '')).join('');
  const calls = messages.flatMap((message) =>
    Array.isArray(message.tool_calls) ? (message.tool_calls as unknown[]) : [],
  );
  return {
    ...records.at(-1),
    message: {
      role: 'assistant',
      content: messages.map(({ content }) => String(content)).join(''),
      ...(thoughts !== '' && { thinking: thoughts }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
  };
}

/** The same for a prompt. */
export function mergePrompt(records: readonly JsonObject[]): JsonObject {
  return { ...records.at(-1), response: records.map(({ response }) => String(response)).join('') };
}
