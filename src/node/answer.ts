/** One answer, whichever client brings it: the body that the data path reads, and how it ends early. */

import { toGatewayError, type GatewayError } from '../core/errors.ts';
import type { ByteText } from '../core/stream.ts';
import type { BodyReader, UpstreamBody, UpstreamResponse } from '../core/upstream.ts';
import { connectionLost } from './transport.ts';

/** What may come before there is a reader: the rest of the read that brought the head. */
const MAX_EARLY_BYTES = 64 * 1024;
/** What a discarded answer may still send, and how long it may take, before its connection is given up. */
const DISCARD_BYTES = 64 * 1024;
const DISCARD_MS = 1000;

/** The connection that an answer comes on. */
export interface Flow {
  pause(): void;
  resume(): void;
  /** Ends it; the answer fails with this error. */
  cut(error: Error): void;
}

export interface AnswerOptions {
  readonly signal: AbortSignal;
  readonly flow: Flow;
  resolve(response: UpstreamResponse): void;
  reject(error: Error): void;
  /** The answer is complete: the connection may carry another. */
  release(): void;
}

/** To be told what comes. Of `end` and `fail` only the first counts. */
export interface Answer {
  head(status: number, headers: Readonly<Record<string, string>>): void;
  body(bytes: ByteText): void;
  end(): void;
  fail(error: Error): void;
}

export function createAnswer({ signal, flow, resolve, reject, release }: AnswerOptions): Answer {
  let hasHead = false;
  let reader: BodyReader | undefined;
  let early = '';
  let isEnded = false;
  let failure: GatewayError | undefined;
  let discarded = -1;
  let discardTimer: NodeJS.Timeout | undefined;

  function onAbort(): void {
    flow.cut(signal.reason as Error);
  }
  signal.addEventListener('abort', onAbort, { once: true });

  function settle(): void {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(discardTimer);
  }

  const body: UpstreamBody = {
    read(given) {
      reader = given;
      if (early !== '') given.chunk(early as ByteText);
      early = '';
      if (isEnded) given.end();
      else if (failure) given.error(failure);
      else flow.resume();
    },
    pause: () => flow.pause(),
    resume: () => flow.resume(),
    discard() {
      if (isEnded || failure) return;
      discarded = 0;
      signal.removeEventListener('abort', onAbort);
      discardTimer = setTimeout(() => flow.cut(connectionLost()), DISCARD_MS);
      flow.resume();
    },
  };

  return {
    head(status, headers) {
      hasHead = true;
      resolve({ status, headers, body });
    },
    body(bytes) {
      if (discarded >= 0) {
        discarded += bytes.length;
        if (discarded > DISCARD_BYTES) flow.cut(connectionLost());
      } else if (reader) {
        reader.chunk(bytes);
      } else {
        early += bytes;
        if (early.length > MAX_EARLY_BYTES) flow.pause();
      }
    },
    end() {
      isEnded = true;
      settle();
      release();
      if (discarded < 0) reader?.end();
    },
    fail(error) {
      settle();
      if (!hasHead) {
        reject(error);
      } else if (!failure && !isEnded) {
        failure = toGatewayError(error);
        if (discarded < 0) reader?.error(failure);
      }
    },
  };
}
