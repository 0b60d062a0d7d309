/** An answer in one piece: calls on the sink → one chat.completion body, when it is complete. */

import { GatewayError } from '../../core/errors.ts';
import type { AnswerShape, DecodeLimits } from '../../core/kind.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import type { ByteText, Encoder, FinishReason, JsonText, ToolCall, Usage } from '../../core/stream.ts';
import type { ChatCompletion } from 'openai/resources';
import { HOLE, splitAtHoles } from '../../wire/template.ts';
import { toUsageObject } from '../usage.ts';
import { toFunctionCall, toToolCall, type Message } from './answer.ts';
import { fromJsonText } from '../../wire/json-string.ts';

/** Nothing is sent before the end, so until then another backend may still be tried. */
export function createResultEncoder(shape: AnswerShape, limits: DecodeLimits): Encoder {
  let out = '';
  let size = 0;
  // Literals without their quotes: joined they are one literal, and nothing was parsed.
  let text = '';
  let thinking = '';
  const logprobs: string[] = [];
  const calls: ToolCall[] = [];

  function hold(bytes: number): void {
    size += bytes;
    if (size <= limits.maxResponseBytes) return;
    throw new GatewayError('upstream_invalid_response', {
      message: `The answer is larger than ${String(limits.maxResponseBytes)} bytes. Ask for a stream instead.`,
    });
  }

  function inner(literal: JsonText): string {
    hold(literal.length);
    return literal.slice(1, -1);
  }

  return {
    text(literal, entries) {
      text += inner(literal);
      if (shape.logprobs && entries !== undefined) {
        hold(entries.length);
        logprobs.push(entries.slice(1, -1));
      }
    },
    reasoning(literal) {
      if (shape.reasoningKeys !== 'none') thinking += inner(literal);
    },
    toolCalls(arrived) {
      for (const call of arrived) {
        hold(call.name.length + call.arguments.length);
        if (!shape.firstCallOnly || calls.length === 0) calls.push(call);
      }
    },
    toolArguments(literal) {
      const call = calls.pop();
      hold(literal.length);
      if (call) calls.push({ ...call, arguments: call.arguments + fromJsonText(literal) });
    },
    finish(reason, usage) {
      out = toBody(reason, usage);
    },
    take() {
      const body = out;
      out = '';
      return body as ByteText;
    },
  };

  function toBody(reason: FinishReason, usage: Usage | null): string {
    const legacyCall = shape.legacyFunctions && calls.length > 0;
    const message: Message = {
      role: 'assistant',
      content: text === '' ? (calls.length > 0 ? null : '') : HOLE,
      refusal: null,
      annotations: [],
      ...(thinking !== '' && reasoningFields(shape.reasoningKeys, HOLE)),
      ...(legacyCall && { function_call: toFunctionCall(calls) }),
      ...(!legacyCall && calls.length > 0 && { tool_calls: calls.map((call) => toToolCall(call, shape)) }),
    };
    const body: ChatCompletion = {
      id: shape.id,
      object: 'chat.completion',
      created: shape.created,
      model: shape.model,
      choices: [
        {
          index: shape.index,
          message,
          logprobs: logprobs.length > 0 ? { content: HOLE as unknown as [], refusal: null } : null,
          finish_reason: legacyCall && reason === 'tool_calls' ? 'function_call' : reason,
        },
      ],
      ...(usage !== null && { usage: toUsageObject(usage) }),
      system_fingerprint: shape.fingerprint,
      ...(shape.serviceTier && { service_tier: shape.serviceTier }),
    };
    const pieces = splitAtHoles(body);
    // In the order of the holes above.
    const values = [
      ...(text === '' ? [] : [`"${text}"`]),
      ...(thinking === '' ? [] : Array<string>(shape.reasoningKeys === 'both' ? 2 : 1).fill(`"${thinking}"`)),
      ...(logprobs.length > 0 ? [`[${logprobs.join(',')}]`] : []),
    ];
    return pieces.reduce((body, piece, i) => body + piece + (values[i] ?? ''), '');
  }
}
