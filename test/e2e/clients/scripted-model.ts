/** Models that take part in a conversation, each told in the protocol that its backend speaks. */

import { isJsonObject, type JsonObject } from '../../../src/core/json.ts';
import {
  ollamaDone,
  ollamaToken,
  openaiChunk,
  sse,
  type Script,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';

/** What a model says when it is its turn. */
export interface Turn {
  readonly thinking?: readonly string[];
  readonly text?: readonly string[];
  readonly calls?: readonly { readonly name: string; readonly arguments: object }[];
  /** Servers whose parser sees the end of a call only with the end of all send them together. */
  readonly areCallsTogether?: boolean;
}

/** What was asked, as the backend has received it. */
export type Asked = Readonly<ScriptedCall['body']>;

/** Counts of tokens that every turn reports. */
export const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** A model that says what `toTurn` makes of the request, to Ollama's clients and to OpenAI's. */
export function speaking(toTurn: (asked: Asked) => Turn): Script {
  return async (call) => {
    const turn = toTurn(call.body);
    if (call.path !== '/api/chat' && call.body.stream !== true) {
      call.res.setHeader('content-type', 'application/json').end(JSON.stringify(wholeAnswer(turn)));
      return;
    }
    const isOllama = call.path === '/api/chat';
    call.res.setHeader('content-type', isOllama ? 'application/x-ndjson' : 'text/event-stream');
    const pieces = isOllama ? ollamaPieces(turn) : vllmPieces(turn);
    for (const piece of pieces) await call.write(piece);
    call.end();
  };
}

/** Says the words and then that it cannot go on, in the middle of the stream. */
export function breakingAfter(...words: readonly string[]): Script {
  return async (call) => {
    const isOllama = call.path === '/api/chat';
    for (const word of words) await call.write(token(isOllama, word));
    const message = 'the model runner has stopped';
    call.end(
      isOllama
        ? `${JSON.stringify({ error: message })}\n`
        : sse({ error: { message, type: 'InternalServerError', code: 500 } }),
    );
  };
}

/** Says the word and then nothing more: the stream stays open until somebody closes it. */
export function fallingSilentAfter(word: string): Script {
  return (call) => call.write(token(call.path === '/api/chat', word));
}

/** What a server says of a model that it does not have. */
export const modelUnknown: Script = ({ path, body, res }) => {
  const message = `model '${String(body.model)}' not found`;
  const error = path === '/api/chat' ? message : { message, type: 'NotFoundError', code: 404 };
  res.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
};

const CITIES = /Paris|Oslo|東京/g;

/** Asks `get_weather` about every city that the user names, and repeats what the tools said. */
export const weatherModel: Script = speaking(weatherTurn);

/** The same, with all calls in one record or chunk. */
export const weatherModelAtOnce: Script = speaking((asked) => ({
  ...weatherTurn(asked),
  areCallsTogether: true,
}));

function weatherTurn(asked: Asked): Turn {
  const messages = Array.isArray(asked.messages) ? asked.messages.filter(isJsonObject) : [];
  const results = trailingResults(messages);
  if (results.length > 0) return { text: ['The ', 'tools ', `said: ${results.join(' | ')}`] };
  const cities = JSON.stringify(messages.at(-1)?.content).match(CITIES) ?? [];
  return { calls: cities.map((city) => ({ name: 'get_weather', arguments: { city } })) };
}

export const WEATHER_QUESTION = 'What is the weather in Paris and in 東京?';
export const WEATHER_CITIES = ['Paris', '東京'];
/** A JSON Schema of the arguments of `get_weather`. */
export const WEATHER_PARAMETERS = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const } },
  required: ['city'],
  additionalProperties: false,
};

/** What a model says that was asked for weather and has the results of its tools. */
export function weatherReport(...results: readonly string[]): string {
  return `The tools said: ${results.join(' | ')}`;
}

function trailingResults(messages: readonly JsonObject[]): string[] {
  const lastOther = messages.findLastIndex(({ role }) => role !== 'tool');
  return messages.slice(lastOther + 1).map(({ content }) => String(content));
}

function token(isOllama: boolean, text: string): string {
  return isOllama ? ollamaToken(text) : openaiChunk({ content: text });
}

/** Arguments are objects, and the reason stays `stop`. */
function ollamaPieces({ thinking = [], text = [], calls = [], areCallsTogether = false }: Turn): string[] {
  const toolCalls = calls.map((call, index) => ({ id: callId(index), function: { index, ...call } }));
  const groups = areCallsTogether ? [toolCalls] : toolCalls.map((call) => [call]);
  return [
    ...thinking.map((thought) => ollamaToken('', { thinking: thought })),
    ...text.map((word) => ollamaToken(word)),
    ...groups.map((group) => ollamaToken('', { tool_calls: group })),
    ollamaDone({ prompt_eval_count: USAGE.prompt_tokens, eval_count: USAGE.completion_tokens }),
  ];
}

/** Arguments come in fragments, as vLLM's parsers find them, or all calls are in one chunk. */
function vllmPieces({ thinking = [], text = [], calls = [], areCallsTogether = false }: Turn): string[] {
  const begun = calls.map(({ name }, index) => ({ index, ...openaiCall(index, name, '') }));
  const whole = calls.map((call, index) => ({
    index,
    ...openaiCall(index, call.name, JSON.stringify(call.arguments)),
  }));
  const fragmented = calls.flatMap((call, index) => {
    const json = JSON.stringify(call.arguments);
    const fragments = [json.slice(0, 4), json.slice(4)].map((part) => ({
      index,
      function: { arguments: part },
    }));
    return [begun[index], ...fragments].map((piece) => [piece]);
  });
  return [
    openaiChunk({ role: 'assistant', content: '' }),
    ...thinking.map((thought) => openaiChunk({ reasoning_content: thought })),
    ...text.map((word) => openaiChunk({ content: word })),
    ...(areCallsTogether ? [whole] : fragmented).map((group) => openaiChunk({ tool_calls: group })),
    openaiChunk({}, calls.length > 0 ? 'tool_calls' : 'stop'),
    sse({ id: 'chatcmpl-upstream', object: 'chat.completion.chunk', choices: [], usage: USAGE }),
    sse('[DONE]'),
  ];
}

/** With the nulls and the missing keys that vLLM is known for. */
function wholeAnswer({ thinking = [], text = [], calls = [] }: Turn): object {
  const message = {
    role: 'assistant',
    content: text.length > 0 ? text.join('') : null,
    reasoning_content: thinking.length > 0 ? thinking.join('') : null,
    tool_calls: calls.map((call, index) => openaiCall(index, call.name, JSON.stringify(call.arguments))),
    function_call: null,
    annotations: null,
  };
  const finishReason = calls.length > 0 ? 'tool_calls' : 'stop';
  return {
    id: 'chatcmpl-upstream',
    object: 'chat.completion',
    created: 1700000000,
    model: 'upstream-model',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason, stop_reason: null }],
    usage: { ...USAGE, prompt_tokens_details: null },
    system_fingerprint: null,
  };
}

function openaiCall(index: number, name: string, args: string): object {
  return { id: callId(index), type: 'function', function: { name, arguments: args } };
}

function callId(index: number): string {
  return `call_weather${String(index)}`;
}
