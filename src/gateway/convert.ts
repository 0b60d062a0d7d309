/** The converter of one exchange: decoder and encoder joined, or a passthrough between equal formats. */

import type { ChatRequest } from '../core/chat.ts';
import type { AnswerShape, BackendKind, ChatSurface, DecodeLimits } from '../core/ports.ts';
import type { Converter } from '../core/stream.ts';

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
  const decoder = kind.createDecoder(encoder, request, limits);
  // One object, whose fields the decoder goes on changing.
  return Object.assign(decoder, { take: encoder.take });
}
