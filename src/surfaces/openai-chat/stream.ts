/** A streamed answer: calls on the sink → OpenAI's delta events (server-sent events). */

import type { AnswerShape } from '../../core/ports.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import type { ByteText, Encoder, JsonText } from '../../core/stream.ts';
import { HOLE, splitAtHoles } from '../../wire/template.ts';
import { encodeUtf8 } from '../../wire/utf8.ts';
import { toChunk, toFunctionCall, toToolCall, toUsageChunk, type Delta } from './answer.ts';

const DONE = 'data: [DONE]\n\n';

/** Role once, one id, one finish, then [usage] and [DONE]; or one error and no [DONE]. */
export function createStreamEncoder(shape: AnswerShape): Encoder {
  let out = '';
  let hasRole = false;
  let callCount = 0;

  const [textOpen = '', textClose = ''] = frame({ content: HOLE });
  const thinkingPieces = frame(reasoningFields(shape.reasoningKeys, HOLE));

  function frame(delta: Delta): string[] {
    const pieces: string[] = [...splitAtHoles(toChunk(shape, delta))];
    pieces[0] = `data: ${String(pieces[0])}`;
    pieces[pieces.length - 1] += '\n\n';
    return pieces;
  }

  function emit(payload: object): void {
    out += `data: ${encodeUtf8(JSON.stringify(payload))}\n\n`;
  }

  function emitRole(rest: Delta = {}): void {
    if (hasRole) return;
    hasRole = true;
    emit(toChunk(shape, { role: 'assistant', content: '', ...rest }));
  }

  function emitLogprobs(literal: JsonText, logprobs: ByteText): void {
    // The published type wants an array where the hole is.
    const content = HOLE as unknown as [];
    const [head, middle, tail] = splitAtHoles(
      toChunk(shape, { content: HOLE }, null, { content, refusal: null }),
    );
    out += `data: ${String(head)}${literal}${String(middle)}${logprobs}${String(tail)}\n\n`;
  }

  return {
    text(literal, logprobs) {
      emitRole();
      if (shape.logprobs && logprobs !== undefined) emitLogprobs(literal, logprobs);
      else out += textOpen + literal + textClose;
    },

    reasoning(literal) {
      if (shape.reasoningKeys === 'none') {
        emitRole();
      } else if (hasRole) {
        out += thinkingPieces.join(literal);
      } else {
        hasRole = true;
        out += frame({ role: 'assistant', content: '', ...reasoningFields(shape.reasoningKeys, HOLE) }).join(
          literal,
        );
      }
    },

    toolCalls(calls) {
      const wanted = shape.firstCallOnly || shape.legacyFunctions ? calls.slice(0, 1 - callCount) : calls;
      if (wanted.length === 0) return;
      const delta = shape.legacyFunctions
        ? { function_call: toFunctionCall(wanted) }
        : { tool_calls: wanted.map((call, i) => ({ index: callCount + i, ...toToolCall(call, shape) })) };
      callCount += wanted.length;
      emit(toChunk(shape, hasRole ? delta : { role: 'assistant', content: null, ...delta }));
      hasRole = true;
    },

    toolArguments(literal) {
      // The published type wants the other keys of a call, which were in its first piece.
      const piece = { index: callCount - 1, function: { arguments: HOLE } };
      out += frame({ tool_calls: [piece] }).join(literal);
    },

    finish(reason, usage) {
      emitRole();
      emit(toChunk(shape, {}, shape.legacyFunctions && reason === 'tool_calls' ? 'function_call' : reason));
      if (shape.includeUsage && usage !== null) emit(toUsageChunk(shape, usage));
      out += DONE;
    },

    take() {
      const text = out;
      out = '';
      return text as ByteText;
    },
  };
}
