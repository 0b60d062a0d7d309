/** The converter of one exchange: decoder and encoder joined, or a passthrough between equal formats. */

import type { ChatRequest } from '../core/chat.ts';
import type { AnswerShape, BackendKind, ChatSurface, DecodeLimits } from '../core/ports.ts';
import type { ChatSink, Converter, Usage } from '../core/stream.ts';

export function createConverter(
  kind: BackendKind,
  surface: ChatSurface,
  request: ChatRequest,
  shape: AnswerShape,
  limits: DecodeLimits,
): Converter {
  if (kind.format === surface.format && kind.createPassthrough) return kind.createPassthrough(shape, limits);
  if (!kind.createDecoder) throw new TypeError(`no way from ${kind.format} to ${surface.format}`);

  const encoder = surface.createEncoder(shape, limits);
  let hasSpoken = false;
  let isFinished = false;
  let usage: Usage | null = null;

  const sink: ChatSink = {
    text(literal, logprobs) {
      hasSpoken = true;
      encoder.text(literal, logprobs);
    },
    reasoning(literal) {
      hasSpoken = true;
      encoder.reasoning(literal);
    },
    toolCalls(calls) {
      hasSpoken = true;
      encoder.toolCalls(calls);
    },
    toolArguments: encoder.toolArguments,
    finish(reason, counted) {
      isFinished = true;
      usage = counted;
      encoder.finish(reason, counted);
    },
  };
  const decoder = kind.createDecoder(sink, request, limits);

  return {
    push: decoder.push,
    end: decoder.end,
    take: encoder.take,
    get records() {
      return decoder.records;
    },
    get hasSpoken() {
      return hasSpoken;
    },
    get hasFinished() {
      return isFinished;
    },
    get isDone() {
      return isFinished;
    },
    get usage() {
      return usage;
    },
  };
}
