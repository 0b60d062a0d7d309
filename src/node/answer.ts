/** One answer, whichever client brings it: the body that the data path reads, and how it ends early. */

import { toGatewayError, type GatewayError } from '../core/errors.ts';
import type { ByteText } from '../core/stream.ts';
import type { BodyReader, UpstreamBody, UpstreamResponse } from '../core/upstream.ts';
import type { ResponseListener } from '../wire/http1.ts';
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

/**
 * Is told what comes; of `end` and `fail` only the first counts. To its reader it is the body. A
 * class, because a token passes here: docs/performance.md.
 */
export class Answer implements ResponseListener, UpstreamBody {
  readonly #options: AnswerOptions;
  #reader: BodyReader | undefined = undefined;
  #discarded = -1;
  #hasHead = false;
  #isEnded = false;
  #early = '';
  #failure: GatewayError | undefined = undefined;
  #discardTimer: NodeJS.Timeout | undefined = undefined;
  readonly #onAbort: () => void;

  constructor(options: AnswerOptions) {
    const { signal, flow } = options;
    this.#options = options;
    this.#onAbort = () => {
      flow.cut(signal.reason as Error);
    };
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    this.#hasHead = true;
    this.#options.resolve({ status, headers, body: this });
  }

  bytes(bytes: ByteText): void {
    if (this.#discarded >= 0) {
      this.#discarded += bytes.length;
      if (this.#discarded > DISCARD_BYTES) this.#options.flow.cut(connectionLost());
    } else if (this.#reader) {
      this.#reader.chunk(bytes);
    } else {
      this.#early += bytes;
      if (this.#early.length > MAX_EARLY_BYTES) this.pause();
    }
  }

  end(): void {
    this.#isEnded = true;
    this.#settle();
    this.#options.release();
    if (this.#discarded < 0) this.#reader?.end();
  }

  fail(error: Error): void {
    this.#settle();
    if (!this.#hasHead) {
      this.#options.reject(error);
    } else if (!this.#failure && !this.#isEnded) {
      this.#failure = toGatewayError(error);
      if (this.#discarded < 0) this.#reader?.error(this.#failure);
    }
  }

  read(reader: BodyReader): void {
    this.#reader = reader;
    if (this.#early !== '') reader.chunk(this.#early as ByteText);
    this.#early = '';
    if (this.#isEnded) reader.end();
    else if (this.#failure) reader.error(this.#failure);
    else this.resume();
  }

  pause(): void {
    this.#options.flow.pause();
  }

  resume(): void {
    this.#options.flow.resume();
  }

  discard(): void {
    if (this.#isEnded || this.#failure) return;
    const { signal, flow } = this.#options;
    this.#discarded = 0;
    signal.removeEventListener('abort', this.#onAbort);
    this.#discardTimer = setTimeout(() => {
      flow.cut(connectionLost());
    }, DISCARD_MS);
    flow.resume();
  }

  #settle(): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    clearTimeout(this.#discardTimer);
  }
}
