/**
 * Bytes of a connection → one HTTP/1.1 response at a time (RFC 9112). Strict: what two readers
 * could take for two different messages is refused.
 */

import type { ByteText } from '../core/stream.ts';
import { invalidResponse as invalid, isKeptAlive, toHeaders } from './header-fields.ts';

export interface ResponseListener {
  /** Names in lower case; repeated fields joined by ', '. */
  head(status: number, headers: Readonly<Record<string, string>>): void;
  /** At most once per push, with all that the read held of the body. */
  bytes(bytes: ByteText): void;
  /** The message is complete. */
  end(): void;
}

type Phase = 'head' | 'size' | 'data' | 'data-end' | 'trailer' | 'length' | 'until-close' | 'complete';

/** The state of a connection's parser: every open stream has one, so it is data and no closures. */
export interface ResponseParser {
  /** Of the current response; undefined between two. */
  listener: ResponseListener | undefined;
  phase: Phase;
  /** Nothing of the current response has arrived. */
  isUntouched: boolean;
  /** Whether the connection may carry another request once the message is complete. */
  isReusable: boolean;
  /** The beginning of something whose end has not arrived. */
  rest: string;
  /** Bytes of the body or chunk still to come. */
  remaining: number;
  trailers: number;
  /** What the current push holds of the body. */
  body: string;
}

const MAX_HEAD_BYTES = 64 * 1024;
/** A chunk's size with its extensions, or one trailer. */
const MAX_CONTROL_BYTES = 8 * 1024;
/** Enough for 4 PB, and exact as a number. */
const MAX_LENGTH_DIGITS = 13;
const MAX_TRAILERS = 64;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/;
const CR = 0x0d;

export function createResponseParser(): ResponseParser {
  return {
    listener: undefined,
    phase: 'head',
    isUntouched: true,
    isReusable: true,
    rest: '',
    remaining: 0,
    trailers: 0,
    body: '',
  };
}

/** Makes ready for the next response on the connection, which `listener` is told. */
export function resetParser(parser: ResponseParser, listener: ResponseListener): void {
  parser.listener = listener;
  parser.phase = 'head';
  parser.isUntouched = true;
  parser.isReusable = true;
  parser.rest = '';
  parser.trailers = 0;
}

/** Takes one read. Throws upstream_invalid_response for anything that is not a response. */
export function pushBytes(parser: ResponseParser, bytes: ByteText): void {
  const wasComplete = parser.phase === 'complete';
  const input = parser.rest === '' ? bytes : parser.rest + bytes;
  parser.rest = '';
  parser.body = '';
  parser.isUntouched = false;
  try {
    takeAll(parser, input);
  } finally {
    // What was understood before a fault is told before the fault.
    if (parser.body !== '') parser.listener?.bytes(parser.body as ByteText);
  }
  if (parser.phase === 'complete' && !wasComplete) parser.listener?.end();
}

/** The peer closed: that may be how the message ends. False when it was cut short. */
export function closeParser(parser: ResponseParser): boolean {
  if (parser.phase === 'until-close') {
    parser.phase = 'complete';
    parser.listener?.end();
  }
  return parser.phase === 'complete';
}

function takeAll(parser: ResponseParser, bytes: string): void {
  let at = 0;
  while (at < bytes.length) {
    const next = takeOne(parser, bytes, at);
    if (next < 0) {
      parser.rest = bytes.slice(at);
      return;
    }
    at = next;
  }
}

/** Takes one thing from `at` on and returns where it ends; -1 when its end has not arrived. */
function takeOne(parser: ResponseParser, bytes: string, at: number): number {
  switch (parser.phase) {
    case 'size':
      return takeSize(parser, bytes, at);
    case 'data':
    case 'length':
      return takeData(parser, bytes, at);
    case 'data-end':
      if (bytes.length < at + 2) return -1;
      if (!bytes.startsWith('\r\n', at)) throw invalid('a broken chunk');
      parser.phase = 'size';
      return at + 2;
    case 'until-close':
      parser.body += bytes.slice(at);
      return bytes.length;
    case 'head':
      return takeHead(parser, bytes, at);
    case 'trailer':
      return takeTrailer(parser, bytes, at);
    case 'complete':
      parser.isReusable = false; // who sends more than was asked for is not to be asked again
      return bytes.length;
  }
}

function takeSize(parser: ResponseParser, bytes: string, at: number): number {
  const end = endOfLine(bytes, at);
  if (end < 0) return -1;
  let size = 0;
  let i = at;
  for (; i < end; i++) {
    const digit = hexDigit(bytes.charCodeAt(i));
    if (digit < 0) break;
    size = size * 16 + digit;
  }
  // An extension may follow; nothing else may.
  const isSize = i > at && i - at <= MAX_LENGTH_DIGITS && (i === end || ' \t;'.includes(bytes.charAt(i)));
  if (!isSize) throw invalid('a broken chunk');
  parser.remaining = size;
  parser.phase = size === 0 ? 'trailer' : 'data';
  return end + 2;
}

function takeData(parser: ResponseParser, bytes: string, at: number): number {
  const end = Math.min(bytes.length, at + parser.remaining);
  parser.body += bytes.slice(at, end);
  parser.remaining -= end - at;
  if (parser.remaining === 0) parser.phase = parser.phase === 'length' ? 'complete' : 'data-end';
  return end;
}

function takeTrailer(parser: ResponseParser, bytes: string, at: number): number {
  const end = endOfLine(bytes, at);
  if (end < 0) return -1;
  if (end === at) parser.phase = 'complete';
  else if (++parser.trailers > MAX_TRAILERS) throw invalid('too many trailers');
  return end + 2;
}

function takeHead(parser: ResponseParser, bytes: string, at: number): number {
  const end = bytes.indexOf('\r\n\r\n', at);
  if ((end < 0 ? bytes.length : end) - at > MAX_HEAD_BYTES) throw invalid('a header that is too large');
  if (end < 0) return -1;
  const [statusLine = '', ...fieldLines] = bytes.slice(at, end).split('\r\n');
  const [, minor, digits] = STATUS_LINE.exec(statusLine) ?? [];
  if (digits === undefined) throw invalid('no HTTP/1.1 status line');
  const status = Number(digits);
  if (status === 101) throw invalid('a change of protocol');
  if (status < 200) return end + 4; // an interim response: the final one follows
  const headers = toHeaders(fieldLines);
  beginBody(parser, status, headers);
  parser.isReusable &&= isKeptAlive(minor === '1', headers.connection);
  parser.listener?.head(status, headers);
  return end + 4;
}

function beginBody(parser: ResponseParser, status: number, headers: Readonly<Record<string, string>>): void {
  const { 'transfer-encoding': encoding, 'content-length': length } = headers;
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked' || length !== undefined) throw invalid('an ambiguous length');
    parser.phase = 'size';
  } else if (status === 204 || status === 304) {
    parser.phase = 'complete';
  } else if (length !== undefined) {
    if (!/^\d+$/.test(length) || length.length > MAX_LENGTH_DIGITS) throw invalid('an ambiguous length');
    parser.remaining = Number(length);
    parser.phase = parser.remaining === 0 ? 'complete' : 'length';
  } else {
    parser.phase = 'until-close';
    parser.isReusable = false;
  }
}

/** The index of the CR that ends the line; -1 when it has not arrived. */
function endOfLine(bytes: string, at: number): number {
  const lf = bytes.indexOf('\n', at);
  if ((lf < 0 ? bytes.length : lf) - at > MAX_CONTROL_BYTES) throw invalid('a line that is too long');
  if (lf < 0) return -1;
  if (lf === at || bytes.charCodeAt(lf - 1) !== CR) throw invalid('a line without its end');
  return lf - 1;
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
