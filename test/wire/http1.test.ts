/** HTTP/1.1 responses out of bytes: the valid ones in any cut, the ambiguous ones refused. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/core/errors.ts';
import type { ByteText } from '../../src/core/stream.ts';
import {
  closeParser,
  createResponseParser,
  pushBytes,
  resetParser,
  type ResponseListener,
  type ResponseParser,
} from '../../src/wire/http1.ts';

interface Parsed {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
  isEnded: boolean;
  isReusable: boolean;
  /** The largest number of body callbacks that one read caused. */
  bodiesPerRead: number;
}

function parserFor(listener: ResponseListener): ResponseParser {
  const parser = createResponseParser();
  resetParser(parser, listener);
  return parser;
}

function parse(pieces: readonly string[], { isClosed = false } = {}): Parsed {
  const parsed: Parsed = {
    status: 0,
    headers: {},
    body: '',
    isEnded: false,
    isReusable: false,
    bodiesPerRead: 0,
  };
  let bodies = 0;
  const parser = parserFor({
    head(status, headers) {
      parsed.status = status;
      parsed.headers = headers;
    },
    bytes(bytes) {
      bodies++;
      parsed.body += bytes;
    },
    end() {
      parsed.isEnded = true;
    },
  });
  for (const piece of pieces) {
    bodies = 0;
    pushBytes(parser, piece as ByteText);
    parsed.bodiesPerRead = Math.max(parsed.bodiesPerRead, bodies);
  }
  if (isClosed) closeParser(parser);
  parsed.isReusable = parser.isReusable;
  return parsed;
}

const bodyBytes = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});

/** A body as chunks of these lengths. */
function chunked(chunks: readonly string[]): string {
  return [...chunks.filter((chunk) => chunk !== ''), '']
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk === '' ? '' : `${chunk}\r\n`}`)
    .join('')
    .concat('\r\n');
}

function cut(text: string, sizes: readonly number[]): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= text.length) break;
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}

const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 200 });

describe('a response parser', () => {
  it('reads chunked bodies in any cut, one body callback a read', () => {
    fc.assert(
      fc.property(fc.array(bodyBytes), sizes, (chunks, pieces) => {
        const message = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n${chunked(chunks)}`;
        const parsed = parse(cut(message, pieces));
        expect(parsed).toMatchObject({ status: 200, body: chunks.join(''), isEnded: true, isReusable: true });
        expect(parsed.headers['x-a']).toBe('1, 2');
        expect(parsed.bodiesPerRead).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('reads bodies with a length in any cut', () => {
    fc.assert(
      fc.property(bodyBytes, sizes, (body, pieces) => {
        const message = `HTTP/1.1 404 Not Found\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
        expect(parse(cut(message, pieces))).toMatchObject({
          status: 404,
          body,
          isEnded: true,
          isReusable: true,
        });
      }),
    );
  });

  it('takes the blanks around a header away, and no time for those within', () => {
    const blanks = ' \t'.repeat(15_000);
    const startedMs = performance.now();
    const { headers, isReusable } = parse([
      `HTTP/1.1 200 OK\r\nX-A:${blanks}a${blanks}b\t \r\nX-B:\r\nConnection: a ,\tClose \r\nContent-Length: 0\r\n\r\n`,
    ]);
    expect(performance.now() - startedMs).toBeLessThan(300);
    expect(headers).toMatchObject({ 'x-a': `a${blanks}b`, 'x-b': '' });
    expect(isReusable).toBe(false);
  });

  it('finds the options of a connection among any blanks in no time', () => {
    const startedMs = performance.now();
    expect(parse([`HTTP/1.1 204 -\r\nConnection: a${' '.repeat(60_000)}b\r\n\r\n`]).isReusable).toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(300);
  });

  it('reads a body without a length up to the close, and does not keep the connection', () => {
    const message = 'HTTP/1.1 200 OK\r\n\r\nall of it';
    expect(parse([message])).toMatchObject({ body: 'all of it', isEnded: false });
    expect(parse([message], { isClosed: true })).toMatchObject({ isEnded: true, isReusable: false });
  });

  it('knows that a close in the middle of a body cuts it short', () => {
    const parser = parserFor({
      head: () => undefined,
      bytes: () => undefined,
      end: () => undefined,
    });
    pushBytes(parser, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel' as ByteText);
    expect(closeParser(parser)).toBe(false);
  });

  it('passes over interim responses', () => {
    expect(parse(['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'])).toMatchObject({
      status: 204,
      isEnded: true,
    });
  });

  it('ignores chunk extensions and trailers', () => {
    const message =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;name=value\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n';
    expect(parse([message])).toMatchObject({ body: 'abc', isEnded: true, isReusable: true });
  });

  it.each([
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n', true],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore than was asked', false],
  ])('tells for %j that the connection is kept: %s', (message, isReusable) => {
    expect(parse([message])).toMatchObject({ isEnded: true, isReusable });
  });

  it('reads one response after another on a connection', () => {
    const bodies: string[] = [];
    const parser = createResponseParser();
    for (const body of ['one', 'two']) {
      resetParser(parser, {
        head: () => undefined,
        bytes: (bytes) => bodies.push(`${body}: ${bytes}`),
        end: () => undefined,
      });
      pushBytes(parser, `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${body}` as ByteText);
    }
    expect(bodies).toEqual(['one: one', 'two: two']);
  });

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['HTTP/2 by its old name', 'HTTP/2 200\r\n\r\n'],
    ['a status that is no number', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a change of protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['two lengths that differ', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n'],
    ['two lengths that agree', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n'],
    ['a length beside chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n'],
    ['a coding that was not asked for', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n'],
    ['a header with a space before its colon', 'HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n'],
    ['a header with a bare CR', 'HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\n\r\n'],
    ['a header with a bare LF', 'HTTP/1.1 200 OK\r\nX-A: 1\nX-B: 2\r\n\r\n'],
    ['a header with a NUL', 'HTTP/1.1 200 OK\r\nX-A: 1\0\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nX-A\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: 1\r\n\r\n'],
    ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    ['a chunk size with a sign', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n'],
    [
      'a chunk size beyond all numbers',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n`,
    ],
    ['a chunk longer than its size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n'],
    [
      'a chunk line that ends with a bare LF',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n',
    ],
    [
      'an endless chunk extension',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;${'x'.repeat(9000)}`,
    ],
    ['an endless header', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
    [
      'too many trailers',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'X: 1\r\n'.repeat(100)}`,
    ],
  ])('refuses %s', (_, message) => {
    expect(() => parse([message])).toThrow(expect.objectContaining({ reason: 'upstream_invalid_response' }));
  });

  it('tells what it understood before it refuses the rest', () => {
    const bodies: string[] = [];
    const parser = parserFor({
      head: () => undefined,
      bytes: (bytes) => bodies.push(bytes),
      end: () => undefined,
    });
    const message = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzzz\r\n';
    expect(() => pushBytes(parser, message as ByteText)).toThrow(GatewayError);
    expect(bodies).toEqual(['abc']);
  });

  it('never fails in another way, whatever the bytes', () => {
    const anyBytes = fc.string({
      unit: fc.constantFrom('\r\n', '0', '3', 'a', ':', ' ', '\xff', ';', '\n'),
      maxLength: 60,
    });
    const start = fc.constantFrom(
      '',
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    fc.assert(
      fc.property(start, anyBytes, sizes, (head, rest, pieces) => {
        try {
          parse(cut(head + rest, pieces), { isClosed: true });
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
