/** The converter of an answer in one piece: it collects the body, and converts it when it is whole. */

import { GatewayError } from './errors.ts';
import type { DecodeLimits } from './kind.ts';
import {
  NO_REASONS,
  type ByteText,
  type Converter,
  type FinishReason,
  type Owned,
  type Usage,
} from './stream.ts';

export interface Collected {
  readonly bytes: ByteText;
  readonly usage: Usage | null;
  /** As the backend called it; '' when it did not. */
  readonly model: string;
  readonly finishReasons?: readonly FinishReason[];
}

/** `hint`: what a client can do about an answer that is too large. `convert` throws GatewayError. */
export function createCollector(
  { maxResponseBytes }: DecodeLimits,
  hint: string,
  convert: (body: ByteText) => Collected,
): Converter {
  let received = '';
  let out = '' as ByteText;
  let failure: GatewayError | undefined;

  const converter: Owned<Converter> = {
    push(bytes) {
      if (failure) throw failure;
      received += bytes;
      // Bytes that flow are an answer that has begun, however long it takes to come.
      converter.hasSpoken = true;
      if (received.length <= maxResponseBytes) return true;
      received = '';
      failure = new GatewayError('upstream_invalid_response', {
        message: `The answer is larger than ${String(maxResponseBytes)} bytes. ${hint}`,
      });
      throw failure;
    },
    end() {
      if (failure) throw failure;
      const { bytes, usage, model, finishReasons = NO_REASONS } = convert(received as ByteText);
      received = '';
      out = bytes;
      converter.hasFinished = true;
      converter.isDone = true;
      converter.usage = usage;
      converter.model = model;
      converter.finishReasons = finishReasons;
    },
    take() {
      const body = out;
      out = '' as ByteText;
      return body;
    },
    hasSpoken: false,
    hasFinished: false,
    isDone: false,
    usage: null,
    model: '',
    finishReasons: NO_REASONS,
  };
  return converter;
}
