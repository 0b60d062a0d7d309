/** The converter between equal formats: streams chunk by chunk, whole answers when they are whole. */

import { GatewayError } from '../../core/errors.ts';
import type { AnswerShape, DecodeLimits } from '../../core/ports.ts';
import type { ByteText, Converter, Owned } from '../../core/stream.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { toResult } from './result.ts';
import { createChatPassthrough } from './stream.ts';

export function createPassthrough(shape: AnswerShape, limits: DecodeLimits): Converter {
  return shape.isStream ? createChatPassthrough(shape, limits) : createResultPassthrough(shape, limits);
}

function createResultPassthrough(shape: AnswerShape, limits: DecodeLimits): Converter {
  let received = '';
  let out = '';

  const converter: Owned<Converter> = {
    push(bytes) {
      received += bytes;
      if (received.length <= limits.maxResponseBytes) return true;
      throw new GatewayError('upstream_invalid_response', {
        message: `The answer is larger than ${String(limits.maxResponseBytes)} bytes. Ask for a stream instead.`,
      });
    },
    end() {
      const { body, usage } = toResult(decodeUtf8(received as ByteText), shape);
      out = encodeUtf8(JSON.stringify(body));
      converter.hasSpoken = true;
      converter.hasFinished = true;
      converter.isDone = true;
      converter.usage = usage;
    },
    take() {
      const body = out;
      out = '';
      return body as ByteText;
    },
    hasSpoken: false,
    hasFinished: false,
    isDone: false,
    usage: null,
  };
  return converter;
}
