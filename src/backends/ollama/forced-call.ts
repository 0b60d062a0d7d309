/** A model that was made to print a call (see forced-format.ts) → the call it printed. */

import { GatewayError } from '../../core/errors.ts';
import type { ChatSink, FinishReason, ToolCall, Usage } from '../../core/stream.ts';
import { fromJsonText, toJsonText } from '../../wire/json-string.ts';
import {
  createArgumentsReader,
  createChosenCallReader,
  type CallReader,
  type ChosenCall,
} from './chosen-call.ts';
import type { PlannedTool } from './tool-choice.ts';

/** Stands between decoder and encoder: text becomes the arguments of a call. */
export function asForcedCall(sink: ChatSink, forced: readonly PlannedTool[]): ChatSink {
  const call: ChosenCall = {
    name(name) {
      sink.toolCalls([{ id: undefined, name, arguments: '' }]);
    },
    arguments(piece) {
      sink.toolArguments(toJsonText(piece));
    },
  };
  const names = forced.map(({ spec }) => spec.name);
  const [only = ''] = names;
  const reader = names.length === 1 ? createArgumentsReader(only, call) : createChosenCallReader(names, call);
  return {
    ...passOn(sink),
    text(literal) {
      reader.push(fromJsonText(literal));
    },
    finish(reason, usage) {
      finish(sink, reader, reason, usage);
    },
  };
}

/** A sink that says everything on, to be changed. */
function passOn(sink: ChatSink): ChatSink {
  return {
    text: (literal, logprobs) => {
      sink.text(literal, logprobs);
    },
    reasoning: (literal) => {
      sink.reasoning(literal);
    },
    toolCalls: (calls) => {
      sink.toolCalls(calls);
    },
    toolArguments: (literal) => {
      sink.toolArguments(literal);
    },
    finish: (reason, usage) => {
      sink.finish(reason, usage);
    },
  };
}

/** Keeps the pieces of a call until its end, and tells it whole. */
export function asWholeCalls(sink: ChatSink, maxBytes: number): ChatSink {
  let call: ToolCall | undefined;
  return {
    ...passOn(sink),
    toolCalls(calls) {
      call = calls[0];
    },
    toolArguments(literal) {
      if (!call) return;
      call = { ...call, arguments: call.arguments + fromJsonText(literal) };
      if (call.arguments.length <= maxBytes) return;
      throw new GatewayError('upstream_invalid_response', {
        message: `The arguments of a call are larger than ${String(maxBytes)} bytes.`,
      });
    },
    finish(reason, usage) {
      if (call) sink.toolCalls([call]);
      sink.finish(reason, usage);
    },
  };
}

/** A model that was cut off may not have come to its call, or to its end; one that stopped has failed. */
function finish(sink: ChatSink, reader: CallReader, reason: FinishReason, usage: Usage | null): void {
  if (!reader.hasEnded && reason !== 'length') {
    throw new GatewayError('tool_call_parse_error', {
      message: reader.hasBegun
        ? 'The model did not complete the call that was required. Try again.'
        : 'The model did not call the function that was required. Try again.',
    });
  }
  sink.finish(reason === 'stop' ? 'tool_calls' : reason, usage);
}
