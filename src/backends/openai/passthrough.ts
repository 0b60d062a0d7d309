/** The converter between equal formats: streams chunk by chunk, whole answers when they are whole. */

import { GatewayError } from '../../core/errors.ts';
import type { AnswerShape, DecodeLimits } from '../../core/ports.ts';
import type { ByteText, Converter, Usage } from '../../core/stream.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { toResult } from './result.ts';
import { createChatPassthrough } from './stream.ts';

export function createPassthrough(shape: AnswerShape, limits: DecodeLimits): Converter {
  return shape.isStream ? createChatPassthrough(shape, limits) : createResultPassthrough(shape, limits);
}

function createResultPassthrough(shape: AnswerShape, limits: DecodeLimits): Converter {
  let received = '';
  let out = '';
  let records = 0;
  let usage: Usage | null = null;

  return {
    push(bytes) {
      received += bytes;
      if (received.length > limits.maxResponseBytes) {
        throw new GatewayError('upstream_invalid_response', {
          message: `The answer is larger than ${String(limits.maxResponseBytes)} bytes. Ask for a stream instead.`,
        });
      }
    },
    end() {
      const result = toResult(decodeUtf8(received as ByteText), shape);
      records = 1;
      usage = result.usage;
      out = encodeUtf8(JSON.stringify(result.body));
    },
    take() {
      const body = out;
      out = '';
      return body as ByteText;
    },
    get records() {
      return records;
    },
    get hasSpoken() {
      return records > 0;
    },
    get hasFinished() {
      return records > 0;
    },
    get isDone() {
      return records > 0;
    },
    get usage() {
      return usage;
    },
  };
}
