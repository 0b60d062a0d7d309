/** A streamed answer: calls on the sink → OpenAI's delta events (server-sent events). */

import type { AnswerShape } from '../../core/kind.ts';
import { reasoningFields } from '../../core/reasoning.ts';
import type { ByteText, Encoder, FinishReason, JsonText, ToolCall, Usage } from '../../core/stream.ts';
import { continuedUsage, type Transcript } from '../../core/transcript.ts';
import { HOLE, splitAtHoles } from '../../wire/template.ts';
import { toChunk, toEvent, toFunctionCall, toToolCall, toUsageEvent, type Delta } from './answer.ts';

const DONE = 'data: [DONE]\n\n';

/** Role once, one id, one finish, then [usage] and [DONE]. */
export function createStreamEncoder(shape: AnswerShape): Encoder {
  const { transcript, id, created, fingerprint } = shape;
  if (transcript) transcript.identity = { id, created, fingerprint };
  return new StreamEncoder(shape);
}

/** A class, because a token passes here: docs/performance.md. */
class StreamEncoder implements Encoder {
  readonly shape: AnswerShape;
  readonly transcript: Transcript | undefined;
  /** Not yet taken. */
  out = '';
  /** The event of a token of text, before and after its literal. */
  readonly textOpen: string;
  readonly textClose: string;
  hasRole: boolean;
  readonly wantsLogprobs: boolean;
  callCount = 0;
  /** Tokens of the answer that another backend said. */
  readonly saidBefore: number;
  /** As textOpen and textClose, for thinking, which may stand under two names; most models send none. */
  thinkingPieces: readonly string[] | undefined = undefined;

  constructor(shape: AnswerShape) {
    const [textOpen = '', textClose = ''] = toPieces(shape, { content: HOLE });
    this.shape = shape;
    this.transcript = shape.transcript;
    this.textOpen = textOpen;
    this.textClose = textClose;
    this.saidBefore = shape.transcript?.pieces ?? 0;
    this.hasRole = this.saidBefore > 0;
    this.wantsLogprobs = shape.logprobs;
  }

  text(literal: JsonText, logprobs?: ByteText): void {
    this.transcript?.add(literal);
    if (!this.hasRole) emitRole(this);
    if (this.wantsLogprobs && logprobs !== undefined) emitLogprobs(this, literal, logprobs);
    else this.out += this.textOpen + literal + this.textClose;
  }

  reasoning(literal: JsonText): void {
    this.transcript?.spoil();
    emitThinking(this, literal);
  }

  toolCalls(calls: readonly ToolCall[]): void {
    this.transcript?.spoil();
    emitCalls(this, calls);
  }

  toolArguments(literal: JsonText): void {
    // The other keys of a call were in its first piece.
    const called = { arguments: HOLE };
    const delta = this.shape.legacyFunctions
      ? { function_call: called }
      : { tool_calls: [{ index: this.callCount - 1, function: called }] };
    this.out += toPieces(this.shape, delta).join(literal);
  }

  finish(reason: FinishReason, usage: Usage | null): void {
    const { shape } = this;
    if (!this.hasRole) emitRole(this);
    const isLegacyCall = shape.legacyFunctions && reason === 'tool_calls';
    emit(this, toChunk(shape, {}, isLegacyCall ? 'function_call' : reason));
    if (shape.isPart) return;
    if (shape.includeUsage && usage !== null) {
      this.out += toUsageEvent(shape, continuedUsage(usage, this.saidBefore));
    }
    this.out += DONE;
  }

  take(): ByteText {
    const text = this.out;
    this.out = '';
    return text as ByteText;
  }
}

/** The event of a delta, cut at its holes. */
function toPieces(shape: AnswerShape, delta: Delta): string[] {
  const pieces = splitAtHoles(toChunk(shape, delta));
  const last = pieces.length - 1;
  return pieces.map((piece, i) => `${i === 0 ? 'data: ' : ''}${piece}${i === last ? '\n\n' : ''}`);
}

function emit(encoder: StreamEncoder, payload: object): void {
  encoder.out += toEvent(payload);
}

function emitRole(encoder: StreamEncoder): void {
  encoder.hasRole = true;
  emit(encoder, toChunk(encoder.shape, { role: 'assistant', content: '' }));
}

function emitThinking(encoder: StreamEncoder, literal: JsonText): void {
  const { shape } = encoder;
  if (shape.reasoningKeys === 'none') {
    if (!encoder.hasRole) emitRole(encoder);
  } else if (encoder.hasRole) {
    encoder.thinkingPieces ??= toPieces(shape, reasoningFields(shape.reasoningKeys, HOLE));
    encoder.out += encoder.thinkingPieces.join(literal);
  } else {
    encoder.hasRole = true;
    const first = { role: 'assistant', content: '', ...reasoningFields(shape.reasoningKeys, HOLE) } as const;
    encoder.out += toPieces(shape, first).join(literal);
  }
}

function emitCalls(encoder: StreamEncoder, calls: readonly ToolCall[]): void {
  const { shape, callCount } = encoder;
  const wanted = shape.firstCallOnly || shape.legacyFunctions ? calls.slice(0, 1 - callCount) : calls;
  if (wanted.length === 0) return;
  const delta = shape.legacyFunctions
    ? { function_call: toFunctionCall(wanted) }
    : { tool_calls: wanted.map((call, i) => ({ index: callCount + i, ...toToolCall(call, shape) })) };
  emit(encoder, toChunk(shape, encoder.hasRole ? delta : { role: 'assistant', content: null, ...delta }));
  encoder.callCount += wanted.length;
  encoder.hasRole = true;
}

function emitLogprobs(encoder: StreamEncoder, literal: JsonText, logprobs: ByteText): void {
  // The published type wants an array where the hole is.
  const content = HOLE as unknown as [];
  const [head, middle, tail] = splitAtHoles(
    toChunk(encoder.shape, { content: HOLE }, null, { content, refusal: null }),
  );
  encoder.out += `data: ${String(head)}${literal}${String(middle)}${logprobs}${String(tail)}\n\n`;
}
