/** Bytes of a text/event-stream body → events. */

import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { ByteText } from '../core/stream.ts';
import { GatewayError } from '../core/errors.ts';
import { endLines, pushLines, type LineTaker } from './lines.ts';

export interface EventListener {
  /**
   * Offered a whole `data:` line that may be an event by itself; true when it was one and is dealt
   * with. False sends it the long way, through the parser.
   */
  plain(data: ByteText): boolean;
  /** An event as the standard defines it. `name` is '' when it had none. */
  event(data: ByteText, name: string): void;
}

export interface EventReader {
  push(bytes: ByteText): void;
  /** The body ended. An event that lacks only its blank line counts; half a line does not. */
  end(): void;
}

const DATA = 'data: ';

/** `maxBytes` bounds one event (upstream_invalid_response beyond it). */
export function createEventReader(maxBytes: number, listener: EventListener): EventReader {
  return new LineByLine(maxBytes, listener);
}

/** A class, because a token passes here: docs/performance.md. */
class LineByLine implements EventReader, LineTaker {
  rest = '';
  readonly maxLineBytes: number;
  readonly #listener: EventListener;
  /** The parser holds the beginning of an event. */
  #isOpen = false;
  /** What is left has no line end. Half an event is none; two are whole all the same. */
  #isLast = false;
  readonly #parser: EventSourceParser;

  constructor(maxBytes: number, listener: EventListener) {
    this.maxLineBytes = maxBytes;
    this.#listener = listener;
    this.#parser = createParser({
      maxBufferSize: maxBytes,
      onEvent({ data, event }) {
        listener.event(data as ByteText, event ?? '');
      },
      onError(error) {
        if (error.type === 'max-buffer-size-exceeded') {
          throw new GatewayError('upstream_invalid_response', {
            message: `The upstream server sent an event of more than ${String(maxBytes)} bytes.`,
          });
        }
        // Old builds of llama.cpp wrote `error: {…}` where `data: {"error":…}` was meant.
        if (error.field === 'error') listener.event((error.value ?? '') as ByteText, 'error');
      },
    });
  }

  push(bytes: ByteText): void {
    pushLines(this, bytes);
  }

  end(): void {
    this.#isLast = true;
    endLines(this);
    if (this.#isOpen) this.#parser.feed('\n');
    this.#isOpen = false;
  }

  line(line: ByteText): void {
    if (this.#isLast && !line.startsWith('{') && line !== `${DATA}[DONE]`) return;
    if (line === '') {
      if (!this.#isOpen) return;
      this.#isOpen = false;
    } else if (!this.#isOpen) {
      if (line.startsWith(DATA) && this.#listener.plain(line.slice(DATA.length) as ByteText)) return;
      if (line.startsWith('{')) {
        // No line of the format begins so: it is a JSON body where a stream should be.
        this.#listener.event(line, '');
        return;
      }
      this.#isOpen = true;
    }
    this.#parser.feed(`${line}\n`);
  }
}
