/** The converter of one chat answer: decoder and encoder joined, or a passthrough between equal formats. */

import type { ChatRequest } from './chat.ts';
import type { AnswerShape, BackendKind, ChatFormat, DecodeLimits } from './kind.ts';
import type { ByteText, Converter, Decoder, Encoder } from './stream.ts';

export function createConverter(
  kind: BackendKind,
  format: ChatFormat,
  request: ChatRequest,
  shape: AnswerShape,
  limits: DecodeLimits,
): Converter {
  if (kind.format === format.format && kind.createPassthrough) return kind.createPassthrough(shape, limits);
  if (!kind.createDecoder) throw new TypeError(`no way from ${kind.format} to ${format.format}`);
  const encoder = format.createEncoder(shape, limits);
  return joinConverter(kind.createDecoder(encoder, request, limits), encoder);
}

/** One object, whose fields the decoder goes on changing. Its `take` is one function for all: docs/performance.md. */
export function joinConverter(decoder: Decoder, encoder: Encoder): Converter {
  return Object.assign(decoder, { encoder, take });
}

function take(this: { readonly encoder: Encoder }): ByteText {
  return this.encoder.take();
}
