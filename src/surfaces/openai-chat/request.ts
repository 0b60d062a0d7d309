/** A chat completion body → the canonical request, or a 400 that names what is wrong with it. */

import type { ChatBody, ChatMessage, ChatRequest } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject } from '../../core/json.ts';
import { sliceJson } from '../../wire/json-slice.ts';
import { parseBody, validate } from '../validate.ts';
import { chatBody } from './schema.ts';

/** Throws GatewayError (400). */
export function toChatRequest(json: string): ChatRequest {
  const body = withExactSeed(validate(chatBody, parseBody(json)), json);
  checkParameters(body);
  checkToolMessages(body.messages);
  return { body, json };
}

/** A seed has 64 bits; JSON.parse keeps 53 of them. */
function withExactSeed(body: ChatBody, json: string): ChatBody {
  if (typeof body.seed !== 'number' || Number.isSafeInteger(body.seed)) return body;
  const text = sliceJson(json, ['seed']);
  return text !== undefined && /^-?\d+$/.test(text) ? { ...body, seed: BigInt(text) } : body;
}

/** The rules between parameters, and the parameters that cannot be honoured: never ignored. */
function checkParameters(body: ChatBody): void {
  if (body.stream_options && body.stream !== true) {
    throw refused(
      'stream_options',
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    );
  }
  if (typeof body.top_logprobs === 'number' && body.logprobs !== true) {
    throw refused('top_logprobs', "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
  }
  if (body.response_format?.type === 'json_object' && !mentionsJson(body.messages)) {
    throw refused(
      'messages',
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    );
  }
  const unsupported = UNSUPPORTED.find(({ isUsed }) => isUsed(body));
  if (unsupported) throw notSupported(unsupported.param, unsupported.hint);
}

const isGiven = (value: unknown): boolean => value !== null && value !== undefined;

const isFilled = (value: unknown): boolean => isGiven(value) && Object.keys(value as object).length > 0;

interface Unsupported {
  readonly param: string;
  readonly hint: string;
  isUsed(body: ChatBody): boolean;
}

const UNSUPPORTED: readonly Unsupported[] = [
  {
    param: 'n',
    hint: 'Send one request for each answer.',
    isUsed: ({ n }) => typeof n === 'number' && n > 1,
  },
  {
    param: 'tool_choice',
    hint: "Use 'auto' or 'none'.",
    isUsed: ({ tool_choice: choice }) => choice === 'required' || isJsonObject(choice),
  },
  { param: 'logprobs', hint: 'Leave it out.', isUsed: ({ logprobs }) => logprobs === true },
  { param: 'logit_bias', hint: 'Leave it out.', isUsed: (body) => isFilled(body.logit_bias) },
  {
    param: 'modalities',
    hint: "Only 'text' is available.",
    isUsed: ({ modalities }) => Array.isArray(modalities) && modalities.includes('audio'),
  },
  { param: 'audio', hint: 'Leave it out.', isUsed: ({ audio }) => isFilled(audio) },
  { param: 'web_search_options', hint: 'Leave it out.', isUsed: (body) => isGiven(body.web_search_options) },
  { param: 'moderation', hint: 'Leave it out.', isUsed: (body) => isGiven(body.moderation) },
];

function notSupported(param: string, hint: string): GatewayError {
  return new GatewayError('unsupported_parameter', {
    message: `Unsupported parameter: '${param}' is not supported here. ${hint}`,
    param,
  });
}

function refused(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param });
}

/** Without the word a model may print white space for ever; OpenAI has the same rule. */
function mentionsJson(messages: readonly ChatMessage[]): boolean {
  return messages.some(({ content }) => {
    const text =
      typeof content === 'string'
        ? content
        : (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('\n');
    return /json/i.test(text);
  });
}

/** Every tool result answers a call, and every call is answered before the next turn. */
function checkToolMessages(messages: readonly ChatMessage[]): void {
  let calls = new Set<string>();
  let unanswered = new Set<string>();
  let caller = 0;
  messages.forEach((message, index) => {
    if (message.role === 'tool') {
      const id = message.tool_call_id ?? '';
      if (!calls.has(id)) {
        throw refused(
          `messages.[${String(index)}].role`,
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
        );
      }
      unanswered.delete(id);
      return;
    }
    if (unanswered.size > 0) throw missingAnswers(unanswered, caller);
    calls = new Set((message.tool_calls ?? []).map((call) => call.id));
    unanswered = new Set(calls);
    caller = index;
  });
  if (unanswered.size > 0) throw missingAnswers(unanswered, caller);
}

function missingAnswers(ids: ReadonlySet<string>, index: number): GatewayError {
  return refused(
    `messages.[${String(index)}].role`,
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each " +
      `'tool_call_id'. The following tool_call_ids did not have response messages: ${[...ids].slice(0, 5).join(', ')}`,
  );
}
