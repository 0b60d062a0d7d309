/** The objects an answer is made of, pinned to the types that OpenAI publishes. */

import type { ChatCompletion, ChatCompletionChunk, ChatCompletionMessageToolCall } from 'openai/resources';
import { isJsonObject, parseJson } from '../../core/json.ts';
import type { AnswerShape } from '../../core/kind.ts';
import type { ReasoningFields } from '../../core/reasoning.ts';
import type { FinishReason, ToolCall, Usage } from '../../core/stream.ts';
import { encodeUtf8 } from '../../wire/utf8.ts';
import { toUsageObject } from '../usage.ts';

/** `content: null` beside tool calls is in the published schema of a message, not of a delta. */
export type Delta = Omit<ChatCompletionChunk.Choice.Delta, 'tool_calls'> &
  ReasoningFields & { tool_calls?: readonly ToolCallPiece[] };
/** The published type of a delta has no custom tools yet, though the API streams them. */
type ToolCallPiece =
  ChatCompletionChunk.Choice.Delta.ToolCall | ({ index: number } & ChatCompletionMessageToolCall);
export type Message = ChatCompletion.Choice['message'] & ReasoningFields;
export type Chunk = Omit<ChatCompletionChunk, 'choices'> & { choices: ChunkChoice[] };
type ChunkChoice = Omit<ChatCompletionChunk.Choice, 'delta'> & { delta: Delta };

/** What the last chunk of an answer has of its shape; of several models there is no one fingerprint. */
export type Head = Pick<AnswerShape, 'id' | 'created' | 'model' | 'serviceTier'> & {
  readonly fingerprint?: string | undefined;
};

export function toChunk(
  shape: AnswerShape,
  delta: Delta,
  finishReason: FinishReason | null = null,
  logprobs: ChatCompletionChunk.Choice['logprobs'] = null,
): Chunk {
  return {
    id: shape.id,
    object: 'chat.completion.chunk',
    created: shape.created,
    model: shape.model,
    system_fingerprint: shape.fingerprint,
    ...(shape.serviceTier && { service_tier: shape.serviceTier }),
    choices: [
      { index: shape.index, delta, ...(shape.logprobs && { logprobs }), finish_reason: finishReason },
    ],
    ...(shape.includeUsage && { usage: null }),
  };
}

/** The extra last chunk that a client asked for with `stream_options.include_usage`. */
export function toUsageEvent({ id, created, model, fingerprint, serviceTier }: Head, usage: Usage): string {
  const chunk: Chunk = {
    id,
    object: 'chat.completion.chunk',
    created,
    model,
    ...(fingerprint !== undefined && { system_fingerprint: fingerprint }),
    ...(serviceTier && { service_tier: serviceTier }),
    choices: [],
    usage: toUsageObject(usage),
  };
  return toEvent(chunk);
}

export function toEvent(payload: object): string {
  return `data: ${encodeUtf8(JSON.stringify(payload))}\n\n`;
}

export function toToolCall(call: ToolCall, shape: AnswerShape): ChatCompletionMessageToolCall {
  const id = call.id ?? `call_${shape.newId()}`;
  return shape.customTools.includes(call.name)
    ? { id, type: 'custom', custom: { name: call.name, input: inputOf(call) } }
    : { id, type: 'function', function: { name: call.name, arguments: call.arguments } };
}

/** A custom tool is asked for as a function with one text named `input`. */
function inputOf(call: ToolCall): string {
  const parsed = parseJson(call.arguments);
  return isJsonObject(parsed) && typeof parsed.input === 'string' ? parsed.input : call.arguments;
}

/** The form before tools: one call, without an id. */
export function toFunctionCall(calls: readonly ToolCall[]): { name: string; arguments: string } {
  return { name: calls[0]?.name ?? '', arguments: calls[0]?.arguments ?? '{}' };
}
