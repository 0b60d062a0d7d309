/** The data path of an answer: upstream reads → converter → relay, one write per read. */

import type { Relay, UpstreamResponse } from '../core/ports.ts';
import type { ByteText, Converter } from '../core/stream.ts';
import type { Watched } from './watch.ts';

/** Told once each, so that what they do may cost something. */
export interface PumpMarks {
  /** The first piece of the answer arrived. */
  onFirstToken(): void;
  /** It left. */
  onFirstWrite(): void;
}

/**
 * Resolves when the answer is complete and sent. Rejects with the failure; what the backend had
 * said before it has then been sent. Between chunk and write there is no await and no allocation
 * but the text itself.
 */
export function pump(
  response: UpstreamResponse,
  converter: Converter,
  relay: Relay,
  watched: Watched,
  marks: PumpMarks,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let records = 0;

    function send(text: ByteText): void {
      if (text === '') return;
      const isFirst = !relay.isCommitted;
      watched.hasWritten = true;
      if (!relay.write(text)) {
        watched.isPaused = true;
        response.pause();
      }
      if (isFirst) marks.onFirstWrite();
    }

    /** The last piece goes out with the end, in one write. */
    function finish(): void {
      const isFirst = !relay.isCommitted;
      relay.end(converter.take());
      if (isFirst) marks.onFirstWrite();
      resolve();
    }

    relay.onDrain = () => {
      watched.isPaused = false;
      response.resume();
    };

    /** The body ended, or broke when nothing of the answer was left to come. */
    function conclude(): void {
      try {
        converter.end();
        finish();
      } catch (error) {
        send(converter.take());
        reject(error as Error);
      }
    }

    response.read({
      chunk(bytes) {
        try {
          converter.push(bytes);
        } catch (error) {
          send(converter.take());
          reject(error as Error);
          return;
        }
        if (converter.records !== records) {
          records = converter.records;
          watched.hasRecord = true;
        }
        if (!watched.isAnswering && converter.hasSpoken) {
          watched.isAnswering = true;
          marks.onFirstToken();
        }
        if (converter.isDone) {
          response.discard();
          finish();
        } else {
          send(converter.take());
        }
      },
      end() {
        if (!converter.isDone) conclude();
      },
      error(error) {
        if (converter.isDone) return;
        if (converter.hasFinished) conclude();
        else reject(error);
      },
    });
  });
}
