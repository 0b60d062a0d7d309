/** The converter between equal formats: streams chunk by chunk, whole answers when they are whole. */

import { createCollector } from '../../core/collect.ts';
import type { AnswerShape, DecodeLimits } from '../../core/kind.ts';
import type { Converter } from '../../core/stream.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { toResult } from './result.ts';
import { createChatPassthrough } from './stream.ts';

export function createPassthrough(shape: AnswerShape, limits: DecodeLimits): Converter {
  if (shape.isStream) return createChatPassthrough(shape, limits);
  return createCollector(limits, 'Ask for a stream instead.', (received) => {
    const { body, ...facts } = toResult(decodeUtf8(received), shape);
    return { bytes: encodeUtf8(JSON.stringify(body)), ...facts };
  });
}
