/** A model that was made to print a call (see forced-format.ts) → the call it printed. */

import { GatewayError } from '../../core/errors.ts';
import type { ChatSink, FinishReason, JsonText, ToolCall, Usage } from '../../core/stream.ts';
import { fromJsonText, toJsonText } from '../../wire/json-string.ts';
import { createChosenCallReader } from './chosen-call.ts';
import type { PlannedTool } from './tool-choice.ts';

/** Stands between decoder and encoder: text becomes the arguments of a call. */
export function asForcedCall(sink: ChatSink, forced: readonly PlannedTool[]): ChatSink {
  const [only] = forced;
  return only && forced.length === 1 ? asCallOf(sink, only.spec.name) : asCallOfSeveral(sink);
}

/** The model prints the arguments and nothing else. */
function asCallOf(sink: ChatSink, name: string): ChatSink {
  let hasBegun = false;
  return {
    ...sink,
    text(literal) {
      if (!hasBegun) sink.toolCalls([{ id: undefined, name, arguments: '' }]);
      hasBegun = true;
      sink.toolArguments(literal);
    },
    finish: (reason, usage) => {
      finish(sink, hasBegun, reason, usage);
    },
  };
}

/** The model prints `{"name": "…", "arguments": {…}}`. */
function asCallOfSeveral(sink: ChatSink): ChatSink {
  let hasBegun = false;
  const reader = createChosenCallReader({
    name(name) {
      hasBegun = true;
      sink.toolCalls([{ id: undefined, name, arguments: '' }]);
    },
    arguments(piece) {
      sink.toolArguments(toJsonText(piece));
    },
  });
  return {
    ...sink,
    text(literal: JsonText) {
      reader.push(fromJsonText(literal));
    },
    finish: (reason, usage) => {
      finish(sink, hasBegun, reason, usage);
    },
  };
}

/** Keeps the pieces of a call until its end, and tells it whole. */
export function asWholeCalls(sink: ChatSink, maxBytes: number): ChatSink {
  let call: ToolCall | undefined;
  return {
    ...sink,
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

/** A model that was cut off may not have come to its call; one that stopped without it has failed. */
function finish(sink: ChatSink, hasBegun: boolean, reason: FinishReason, usage: Usage | null): void {
  if (!hasBegun && reason !== 'length') {
    throw new GatewayError('tool_call_parse_error', {
      message: 'The model did not call the function that was required. Try again.',
    });
  }
  sink.finish(reason === 'stop' ? 'tool_calls' : reason, usage);
}
