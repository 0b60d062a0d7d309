/** A streamed answer: calls on the sink → OpenAI's delta events (server-sent events). */

import type { AnswerShape } from '../../core/kind.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import type { ByteText, Encoder, JsonText, ToolCall } from '../../core/stream.ts';
import { continuedUsage } from '../../core/transcript.ts';
import { HOLE, splitAtHoles } from '../../wire/template.ts';
import { toChunk, toEvent, toFunctionCall, toToolCall, toUsageEvent, type Delta } from './answer.ts';

const DONE = 'data: [DONE]\n\n';

interface State {
  readonly shape: AnswerShape;
  /** Not yet taken. */
  out: string;
  hasRole: boolean;
  callCount: number;
  /** The event of a token of text, before and after its literal. */
  readonly textOpen: string;
  readonly textClose: string;
  /** The same for thinking, which may stand under two names; most models send none. */
  thinkingPieces: readonly string[] | undefined;
}

/** Role once, one id, one finish, then [usage] and [DONE]. */
export function createStreamEncoder(shape: AnswerShape): Encoder {
  const { transcript } = shape;
  const saidBefore = transcript?.pieces ?? 0;
  if (transcript) {
    const { id, created, fingerprint } = shape;
    transcript.identity = { id, created, fingerprint };
  }
  const [textOpen = '', textClose = ''] = toPieces(shape, { content: HOLE });
  const state: State = {
    shape,
    out: '',
    hasRole: saidBefore > 0,
    callCount: 0,
    textOpen,
    textClose,
    thinkingPieces: undefined,
  };
  return {
    text(literal, logprobs) {
      transcript?.add(literal);
      if (!state.hasRole) emitRole(state);
      if (shape.logprobs && logprobs !== undefined) emitLogprobs(state, literal, logprobs);
      else state.out += state.textOpen + literal + state.textClose;
    },

    reasoning(literal) {
      transcript?.spoil();
      emitThinking(state, literal);
    },

    toolCalls(calls) {
      transcript?.spoil();
      emitCalls(state, calls);
    },

    toolArguments(literal) {
      // The other keys of a call were in its first piece.
      const called = { arguments: HOLE };
      const delta = shape.legacyFunctions
        ? { function_call: called }
        : { tool_calls: [{ index: state.callCount - 1, function: called }] };
      state.out += toPieces(shape, delta).join(literal);
    },

    finish(reason, usage) {
      if (!state.hasRole) emitRole(state);
      const isLegacyCall = shape.legacyFunctions && reason === 'tool_calls';
      emit(state, toChunk(shape, {}, isLegacyCall ? 'function_call' : reason));
      if (shape.isPart) return;
      if (shape.includeUsage && usage !== null) {
        state.out += toUsageEvent(shape, continuedUsage(usage, saidBefore));
      }
      state.out += DONE;
    },

    take() {
      const text = state.out;
      state.out = '';
      return text as ByteText;
    },
  };
}

/** The event of a delta, cut at its holes. */
function toPieces(shape: AnswerShape, delta: Delta): string[] {
  const pieces = splitAtHoles(toChunk(shape, delta));
  const last = pieces.length - 1;
  return pieces.map((piece, i) => `${i === 0 ? 'data: ' : ''}${piece}${i === last ? '\n\n' : ''}`);
}

function emit(state: State, payload: object): void {
  state.out += toEvent(payload);
}

function emitRole(state: State): void {
  state.hasRole = true;
  emit(state, toChunk(state.shape, { role: 'assistant', content: '' }));
}

function emitThinking(state: State, literal: JsonText): void {
  const { shape } = state;
  if (shape.reasoningKeys === 'none') {
    if (!state.hasRole) emitRole(state);
  } else if (state.hasRole) {
    state.thinkingPieces ??= toPieces(shape, reasoningFields(shape.reasoningKeys, HOLE));
    state.out += state.thinkingPieces.join(literal);
  } else {
    state.hasRole = true;
    const first = { role: 'assistant', content: '', ...reasoningFields(shape.reasoningKeys, HOLE) } as const;
    state.out += toPieces(shape, first).join(literal);
  }
}

function emitCalls(state: State, calls: readonly ToolCall[]): void {
  const { shape, callCount } = state;
  const wanted = shape.firstCallOnly || shape.legacyFunctions ? calls.slice(0, 1 - callCount) : calls;
  if (wanted.length === 0) return;
  const delta = shape.legacyFunctions
    ? { function_call: toFunctionCall(wanted) }
    : { tool_calls: wanted.map((call, i) => ({ index: callCount + i, ...toToolCall(call, shape) })) };
  emit(state, toChunk(shape, state.hasRole ? delta : { role: 'assistant', content: null, ...delta }));
  state.callCount += wanted.length;
  state.hasRole = true;
}

function emitLogprobs(state: State, literal: JsonText, logprobs: ByteText): void {
  // The published type wants an array where the hole is.
  const content = HOLE as unknown as [];
  const [head, middle, tail] = splitAtHoles(
    toChunk(state.shape, { content: HOLE }, null, { content, refusal: null }),
  );
  state.out += `data: ${String(head)}${literal}${String(middle)}${logprobs}${String(tail)}\n\n`;
}
