/** Where a JSON string ends, and which strings may be spliced. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { endOfJsonString, fromJsonText, toJsonText } from '../../src/wire/json-string.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';

const anyText = fc.string({ unit: 'binary' });

function isWellFormed(inner: string): boolean {
  const bytes = `"${inner}"`;
  return endOfJsonString(bytes, 1) === bytes.length - 1;
}

describe('the end of a JSON string', () => {
  it('is found for every text that was printed as JSON', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const literal = encodeUtf8(JSON.stringify(text));
        expect(endOfJsonString(`${literal},"more"`, 1)).toBe(literal.length - 1);
      }),
    );
  });

  it('is found exactly when a strict parser accepts the string', () => {
    const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 });
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(bytes, (codes) => {
        const inner = String.fromCharCode(...codes).replaceAll('"', '');
        let isValid = true;
        try {
          JSON.parse(`"${strict.decode(Uint8Array.from(inner, (c) => c.charCodeAt(0)))}"`);
        } catch {
          isValid = false;
        }
        expect(isWellFormed(inner)).toBe(isValid);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['a raw control character', 'a\u0001b'],
    ['a raw line feed', 'a\nb'],
    ['an unknown escape', String.raw`\x41`],
    ['a short \\u escape', String.raw`\u12`],
    ['a backslash at the end', '\\'],
    ['half a UTF-8 sequence', '\xc3'],
    ['an overlong sequence', '\xc0\xaf'],
    ['a surrogate in UTF-8', '\xed\xa0\x80'],
    ['a code point above the last', '\xf4\x90\x80\x80'],
  ])('is not found after %s', (_, inner) => {
    expect(isWellFormed(inner)).toBe(false);
  });

  it('is not found when there is none', () => {
    expect(endOfJsonString('"open', 1)).toBe(-1);
  });
});

describe('a literal', () => {
  it('becomes the text again', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(fromJsonText(toJsonText(text))).toBe(text);
      }),
    );
  });
});

describe('UTF-8', () => {
  it('survives the way to bytes and back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeUtf8(encodeUtf8(text))).toBe(text);
        expect(Buffer.from(encodeUtf8(text), 'latin1').toString()).toBe(text);
      }),
    );
  });

  it('of a large text is exact', () => {
    const text = 'é😀'.repeat(20_000);
    expect(decodeUtf8(encodeUtf8(text))).toBe(text);
  });
});
