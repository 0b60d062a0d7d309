/** The data path of an answer: upstream reads → converter → relay, one write per read. */

import { toGatewayError } from '../core/errors.ts';
import type { Exchange, Now, Relay } from '../core/exchange.ts';
import type { Lease } from '../core/fleet.ts';
import type { BodyReader, UpstreamBody } from '../core/upstream.ts';
import type { ByteText, Converter } from '../core/stream.ts';
import type { Watched } from './watch.ts';

/** When the answer began, in milliseconds of the clock that was given. */
export interface Milestones {
  /** Its first piece arrived. */
  firstTokenMs: number | undefined;
  /** That piece was written. */
  firstWriteMs: number | undefined;
}

/** What an answer is taken through. */
export interface PumpParts {
  readonly body: UpstreamBody;
  readonly converter: Converter;
  readonly exchange: Exchange;
  readonly watched: Watched;
  readonly milestones: Milestones;
  readonly lease: Pick<Lease, 'answered'>;
  readonly now: Now;
}

/**
 * Resolves when the answer is complete and sent. Rejects with the failure; what the backend had
 * said before it has then been sent. Between chunk and write there is no await and no allocation
 * but the text itself.
 */
export function pump(parts: PumpParts): Promise<void> {
  return new Promise((resolve, reject) => {
    parts.body.read(new Pump(parts, resolve, reject));
  });
}

/** A class, because a token passes here: docs/performance.md. */
class Pump implements BodyReader {
  readonly #converter: Converter;
  readonly #relay: Relay;
  readonly #watched: Watched;
  /** The answer was told to its end or has failed: what the connection says after that is not heard. */
  #isSettled = false;
  readonly #parts: PumpParts;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(parts: PumpParts, resolve: () => void, reject: (error: Error) => void) {
    this.#converter = parts.converter;
    this.#relay = parts.exchange.relay;
    this.#watched = parts.watched;
    this.#parts = parts;
    this.#resolve = resolve;
    this.#reject = reject;
    const { body, watched } = parts;
    this.#relay.onDrain = () => {
      watched.isPaused = false;
      body.resume();
    };
  }

  chunk(bytes: ByteText): void {
    if (this.#isSettled) return;
    const converter = this.#converter;
    const { hasFinished } = converter;
    try {
      if (converter.push(bytes)) this.#watched.hasRecord = true;
    } catch (error) {
      if (!hasFinished) {
        this.#fail(error);
        return;
      }
      // The finish reason was said: what cannot be read after it has cost nothing.
      this.#parts.body.discard();
      this.#conclude();
      return;
    }
    if (converter.isDone) {
      this.#parts.body.discard();
      this.#finish();
    } else if (!this.#watched.isAnswering && converter.hasSpoken) {
      this.#begin();
    } else {
      this.#send(converter.take());
    }
  }

  end(): void {
    if (!this.#isSettled) this.#conclude();
  }

  error(error: Error): void {
    if (this.#isSettled) return;
    // So has a break.
    if (this.#converter.hasFinished) this.#conclude();
    else this.#fail(error);
  }

  #send(text: ByteText): void {
    if (text === '') return;
    this.#watched.writes++;
    if (this.#relay.write(text)) return;
    this.#watched.isPaused = true;
    this.#parts.body.pause();
  }

  #begin(): void {
    const { exchange, lease, milestones, now } = this.#parts;
    this.#watched.isAnswering = true;
    milestones.firstTokenMs ??= now();
    lease.answered();
    this.#send(this.#converter.take());
    if (!this.#relay.isCommitted) return;
    milestones.firstWriteMs ??= now();
    // A long stream need not hold a long prompt, unless it may have to be sent again.
    if (!exchange.operation?.rescue) exchange.operation = null;
  }

  /** The body ended, or broke when nothing of the answer was left to come. */
  #conclude(): void {
    try {
      this.#converter.end();
      this.#finish();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The last piece goes out with the end, in one write. */
  #finish(): void {
    const { milestones, now } = this.#parts;
    this.#isSettled = true;
    milestones.firstTokenMs ??= now();
    this.#relay.end(this.#converter.take());
    milestones.firstWriteMs ??= now();
    this.#resolve();
  }

  #fail(error: unknown): void {
    this.#isSettled = true;
    this.#reject(toGatewayError(error));
    this.#send(this.#converter.take());
  }
}
