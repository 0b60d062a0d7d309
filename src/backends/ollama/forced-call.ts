/**
 * `tool_choice` with a name. Ollama has no such thing: the model is made to print the arguments by
 * `format`, and what it prints is told as the arguments of the call, as they come.
 */

import { isJsonObject } from '../../core/json.ts';
import type { ChatSink } from '../../core/stream.ts';

/** The name in `{type: 'function', function: {name}}`. */
export function forcedFunction(toolChoice: unknown): string | undefined {
  if (!isJsonObject(toolChoice) || !isJsonObject(toolChoice.function)) return undefined;
  return typeof toolChoice.function.name === 'string' ? toolChoice.function.name : undefined;
}

/** A sink for a model that prints the arguments of one call as its text. */
export function asForcedCall(sink: ChatSink, name: string): ChatSink {
  let hasBegun = false;

  function begin(): void {
    if (hasBegun) return;
    hasBegun = true;
    sink.toolCalls([{ id: undefined, name, arguments: '' }]);
  }

  return {
    ...sink,
    text(literal) {
      begin();
      sink.toolArguments(literal);
    },
    finish(reason, usage) {
      begin();
      sink.finish(reason === 'stop' ? 'tool_calls' : reason, usage);
    },
  };
}
