/** Bytes in whatever pieces the network chose → whole lines. */

import type { ByteText } from '../core/stream.ts';
import { GatewayError } from '../core/errors.ts';

/** Whoever wants lines, with what it keeps of one for pushLines. */
export interface LineTaker {
  /** The beginning of a line whose end has not arrived; '' at first. */
  rest: string;
  /** Bounds one line, so an endless one costs its own stream and nothing else. */
  readonly maxLineBytes: number;
  /** A complete line, without its LF or CRLF. */
  line(line: ByteText): void;
}

/**
 * Gives every line that is now complete. Lines are cut at LF only: no byte of a UTF-8 sequence is
 * one. Throws upstream_invalid_response for a line that is too long.
 */
export function pushLines(taker: LineTaker, bytes: ByteText): void {
  let start = 0;
  for (;;) {
    const end = bytes.indexOf('\n', start);
    if (end < 0) break;
    const line = taker.rest === '' ? bytes.slice(start, end) : taker.rest + bytes.slice(start, end);
    taker.rest = '';
    start = end + 1;
    give(taker, line);
  }
  if (start < bytes.length) {
    // A rope: the pieces of a long line are joined once, when it is complete.
    taker.rest += bytes.slice(start);
    if (taker.rest.length > taker.maxLineBytes) throw tooLong(taker.maxLineBytes);
  }
}

/** Gives the last line, if the body ended without a line end. */
export function endLines(taker: LineTaker): void {
  const line = taker.rest;
  taker.rest = '';
  if (line !== '') give(taker, line);
}

function give(taker: LineTaker, line: string): void {
  if (line.length > taker.maxLineBytes) throw tooLong(taker.maxLineBytes);
  taker.line((line.endsWith('\r') ? line.slice(0, -1) : line) as ByteText);
}

function tooLong(maxBytes: number): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: `The upstream server sent a record of more than ${String(maxBytes)} bytes.`,
  });
}

export interface LineReader {
  push(bytes: ByteText): void;
  end(): void;
}

/** The same, where it is no matter what a line costs. */
export function createLineReader(maxLineBytes: number, line: (line: ByteText) => void): LineReader {
  const taker: LineTaker = { rest: '', maxLineBytes, line };
  return {
    push(bytes) {
      pushLines(taker, bytes);
    },
    end() {
      endLines(taker);
    },
  };
}
