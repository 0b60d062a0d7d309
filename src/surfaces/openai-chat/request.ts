/** A chat completion body → the canonical request, or a 400 that names what is wrong with it. */

import {
  toolName,
  type ChatBody,
  type ChatMessage,
  type ChatRequest,
  type ToolChoice,
} from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject } from '../../core/json.ts';
import { withExactSeed } from '../seed.ts';
import { parseBody, validate } from '../validate.ts';
import { chatBody } from './schema.ts';

/** Throws GatewayError (400). */
export function toChatRequest(json: string): ChatRequest {
  const body = withExactSeed(validate(chatBody, parseBody(json)), json);
  checkParameters(body);
  checkToolMessages(body.messages);
  checkToolForms(body);
  const canonical = withLegacyFunctions(body);
  checkToolChoice(canonical);
  return { body: canonical, json };
}

/** One form or the other: nobody could say what both together mean. */
function checkToolForms({ tools, tool_choice: choice, functions, function_call: call }: ChatBody): void {
  if (call !== null && call !== undefined && !functions) {
    throw refused('function_call', "'function_call' is only allowed when 'functions' are specified.");
  }
  if (!functions) return;
  if (tools && tools.length > 0) {
    throw refused(
      'functions',
      "'functions' cannot be used together with 'tools', which they are the older form of.",
    );
  }
  if (choice !== null && choice !== undefined) {
    throw refused(
      'tool_choice',
      "'tool_choice' cannot be used together with 'functions'. Use 'function_call'.",
    );
  }
}

/** The form before tools, told as tools. */
function withLegacyFunctions(body: ChatBody): ChatBody {
  const { functions, function_call: call } = body;
  if (!functions) return body;
  return {
    ...body,
    tools: functions.map((spec) => ({ type: 'function', function: spec })),
    tool_choice: isJsonObject(call) ? { type: 'function', function: call } : call,
  };
}

/** A choice of tools that were not given cannot be honoured. */
function checkToolChoice({ tools, tool_choice: choice, functions }: ChatBody): void {
  if (!choice || choice === 'none' || choice === 'auto') return;
  const param = functions ? 'function_call' : 'tool_choice';
  const names = new Set((tools ?? []).map(toolName));
  if (names.size === 0) {
    throw refused(
      param,
      `'${param}' is only allowed when '${functions ? 'functions' : 'tools'}' are specified.`,
    );
  }
  for (const name of namesOf(choice)) {
    if (names.has(name)) continue;
    throw refused(param, `'${param}' names '${name}', which is not among the functions of this request.`);
  }
}

function namesOf(choice: ToolChoice): string[] {
  if (typeof choice === 'string') return [];
  return choice.type === 'allowed_tools' ? choice.allowed_tools.tools.map(toolName) : [toolName(choice)];
}

/** The rules between parameters. */
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
