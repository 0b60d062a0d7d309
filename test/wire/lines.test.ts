/** Lines out of arbitrary pieces. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ByteText } from '../../src/core/stream.ts';
import { createLineReader } from '../../src/wire/lines.ts';

function read(pieces: readonly string[], maxBytes = 1000): string[] {
  const lines: string[] = [];
  const reader = createLineReader(maxBytes, (line) => lines.push(line));
  for (const piece of pieces) reader.push(piece as ByteText);
  reader.end();
  return lines;
}

describe('a line reader', () => {
  it('gives the same lines however the bytes were cut', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'é', '\xff', '"', ' ') });
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(20)), (lines, cuts) => {
        const text = lines.map((each) => `${each}\n`).join('');
        const pieces: string[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(text.slice(at, at + cut));
          at += cut;
        }
        pieces.push(text.slice(at));
        expect(read(pieces)).toEqual(lines);
      }),
    );
  });

  it('drops the CR of a CRLF, also when the two came apart', () => {
    expect(read(['one\r\ntwo\r', '\nthree'])).toEqual(['one', 'two', 'three']);
  });

  it('keeps a CR inside a line', () => {
    expect(read(['a\rb\n'])).toEqual(['a\rb']);
  });

  it('gives a last line that has no end', () => {
    expect(read(['one\nlast'])).toEqual(['one', 'last']);
  });

  it('takes a line of the greatest length and refuses a longer one, whole or in pieces', () => {
    expect(read(['x'.repeat(10), '\n'], 10)).toEqual(['x'.repeat(10)]);
    expect(() => read([`${'x'.repeat(11)}\n`], 10)).toThrow(
      expect.objectContaining({ reason: 'upstream_invalid_response' }),
    );
    expect(() => read(Array<string>(11).fill('x'), 10)).toThrow(
      expect.objectContaining({ reason: 'upstream_invalid_response' }),
    );
  });
});
