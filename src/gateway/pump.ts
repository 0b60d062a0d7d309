/** The data path of an answer: upstream reads → converter → relay, one write per read. */

import { toGatewayError } from '../core/errors.ts';
import type { Exchange, Now } from '../core/exchange.ts';
import type { Lease } from '../core/fleet.ts';
import type { UpstreamBody } from '../core/upstream.ts';
import type { ByteText, Converter } from '../core/stream.ts';
import type { Watched } from './watch.ts';

/** When the answer began, in milliseconds of the clock that was given. */
export interface Milestones {
  /** Its first piece arrived. */
  firstTokenMs: number | undefined;
  /** That piece was written. */
  firstWriteMs: number | undefined;
  /** Reads that went to the client: about one for each token, and no fewer than there were. */
  seenTokens: number;
}

/**
 * Resolves when the answer is complete and sent. Rejects with the failure; what the backend had
 * said before it has then been sent. Between chunk and write there is no await and no allocation
 * but the text itself.
 */
export function pump(
  body: UpstreamBody,
  converter: Converter,
  exchange: Exchange,
  watched: Watched,
  milestones: Milestones,
  lease: Pick<Lease, 'answered'>,
  now: Now,
): Promise<void> {
  const { relay } = exchange;
  return new Promise((resolve, reject) => {
    /** The answer was told to its end or has failed: what the connection says after that is not heard. */
    let isSettled = false;

    function send(text: ByteText): void {
      if (text === '') return;
      watched.hasWritten = true;
      milestones.seenTokens++;
      if (relay.write(text)) return;
      watched.isPaused = true;
      body.pause();
    }

    /** The last piece goes out with the end, in one write. */
    function finish(): void {
      isSettled = true;
      milestones.firstTokenMs ??= now();
      relay.end(converter.take());
      milestones.firstWriteMs ??= now();
      resolve();
    }

    function fail(error: unknown): void {
      isSettled = true;
      reject(toGatewayError(error));
      send(converter.take());
    }

    function begin(): void {
      watched.isAnswering = true;
      milestones.firstTokenMs ??= now();
      lease.answered();
      send(converter.take());
      if (!relay.isCommitted) return;
      milestones.firstWriteMs ??= now();
      // A long stream need not hold a long prompt, unless it may have to be sent again.
      if (!exchange.operation?.rescue) exchange.operation = null;
    }

    /** The body ended, or broke when nothing of the answer was left to come. */
    function conclude(): void {
      try {
        converter.end();
        finish();
      } catch (error) {
        fail(error);
      }
    }

    relay.onDrain = () => {
      watched.isPaused = false;
      body.resume();
    };

    body.read({
      chunk(bytes) {
        if (isSettled) return;
        const { hasFinished } = converter;
        try {
          if (converter.push(bytes)) watched.hasRecord = true;
        } catch (error) {
          if (!hasFinished) {
            fail(error);
            return;
          }
          // The finish reason was said: what cannot be read after it has cost nothing.
          body.discard();
          conclude();
          return;
        }
        if (converter.isDone) {
          body.discard();
          finish();
        } else if (!watched.isAnswering && converter.hasSpoken) {
          begin();
        } else {
          send(converter.take());
        }
      },
      end() {
        if (!isSettled) conclude();
      },
      error(error) {
        if (isSettled) return;
        // So has a break.
        if (converter.hasFinished) conclude();
        else fail(error);
      },
    });
  });
}
