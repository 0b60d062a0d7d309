/** Bytes of a text/event-stream body → events. */

import { createParser } from 'eventsource-parser';
import type { ByteText } from '../core/stream.ts';
import { GatewayError } from '../core/errors.ts';
import { createLineReader } from './lines.ts';

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
  /** The parser holds the beginning of an event. */
  let isOpen = false;

  const parser = createParser({
    maxBufferSize: maxBytes,
    onEvent: ({ data, event }) => {
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

  /** What is left has no line end. Half an event is none; these two are whole all the same. */
  let isLast = false;

  const lines = createLineReader(maxBytes, (line) => {
    if (isLast && !line.startsWith('{') && line !== `${DATA}[DONE]`) return;
    if (line === '') {
      if (!isOpen) return;
      isOpen = false;
    } else if (!isOpen) {
      if (line.startsWith(DATA) && listener.plain(line.slice(DATA.length) as ByteText)) return;
      if (line.startsWith('{')) {
        // No line of the format begins so: it is a JSON body where a stream should be.
        listener.event(line, '');
        return;
      }
      isOpen = true;
    }
    parser.feed(`${line}\n`);
  });

  return {
    push: lines.push,
    end() {
      isLast = true;
      lines.end();
      if (isOpen) parser.feed('\n');
      isOpen = false;
    },
  };
}
