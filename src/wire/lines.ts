/** Bytes in whatever pieces the network chose → whole lines. */

import type { ByteText } from '../core/stream.ts';
import { GatewayError } from '../core/errors.ts';

export interface LineReader {
  /** Calls `onLine` for every line that is now complete, without its LF or CRLF. */
  push(bytes: ByteText): void;
  /** Gives the last line, if the body ended without a line end. */
  end(): void;
}

/**
 * `maxBytes` bounds one line (upstream_invalid_response beyond it), so an endless line costs its
 * own stream and nothing else. Lines are cut at LF only: no byte of a UTF-8 sequence is an LF.
 */
export function createLineReader(maxBytes: number, onLine: (line: ByteText) => void): LineReader {
  let rest = '';

  function emit(line: string): void {
    if (line.length > maxBytes) throw tooLong(maxBytes);
    onLine((line.endsWith('\r') ? line.slice(0, -1) : line) as ByteText);
  }

  return {
    push(bytes) {
      let start = 0;
      for (;;) {
        const end = bytes.indexOf('\n', start);
        if (end < 0) break;
        const line = rest === '' ? bytes.slice(start, end) : rest + bytes.slice(start, end);
        rest = '';
        start = end + 1;
        emit(line);
      }
      if (start < bytes.length) {
        // A rope: the pieces of a long line are joined once, when it is complete.
        rest += bytes.slice(start);
        if (rest.length > maxBytes) throw tooLong(maxBytes);
      }
    },
    end() {
      const line = rest;
      rest = '';
      if (line !== '') emit(line);
    },
  };
}

function tooLong(maxBytes: number): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: `The upstream server sent a record of more than ${String(maxBytes)} bytes.`,
  });
}
