/** JSON string literals inside ByteText: where one ends, and how text becomes one. */

import type { ByteText, JsonText } from '../core/stream.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** What may follow a backslash (RFC 8259, section 7), but for `u`. */
const ESCAPES = new Set(Array.from('"\\/bfnrt', (c) => c.charCodeAt(0)));

/**
 * The index of the quote that closes the literal opened just before `start`, or -1 when what
 * stands there is not well-formed: a control character, an unknown escape, UTF-8 that does not
 * decode, or no end. A literal that passes may be spliced into any JSON text as it is.
 */
export function endOfJsonString(bytes: string, start: number): number {
  let i = start;
  for (;;) {
    // NaN past the end, which fails every comparison and lands in the last return.
    const c = bytes.charCodeAt(i);
    if (c < 0x80) {
      if (c === QUOTE) return i;
      if (c < 0x20) return -1;
      if (c === BACKSLASH) {
        i = afterEscape(bytes, i + 1);
        if (i < 0) return -1;
      } else {
        i++;
      }
    } else {
      i = afterSequence(bytes, i, c);
      if (i < 0) return -1;
    }
  }
}

function afterEscape(bytes: string, at: number): number {
  const c = bytes.charCodeAt(at);
  if (ESCAPES.has(c)) return at + 1;
  if (c !== LETTER_U) return -1;
  for (let i = at + 1; i <= at + 4; i++) if (!isHexDigit(bytes.charCodeAt(i))) return -1;
  return at + 5;
}

function isHexDigit(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || ((c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
}

/** The table of well-formed UTF-8 byte sequences (Unicode 15, table 3-7). */
function afterSequence(bytes: string, at: number, lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return afterTail(bytes, at + 1, 1, 0x80, 0xbf);
  if (lead >= 0xe0 && lead <= 0xef) {
    return afterTail(bytes, at + 1, 2, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf);
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return afterTail(bytes, at + 1, 3, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf);
  }
  return -1;
}

function afterTail(bytes: string, at: number, count: number, low: number, high: number): number {
  const first = bytes.charCodeAt(at);
  if (!(first >= low && first <= high)) return -1;
  for (let i = at + 1; i < at + count; i++) {
    const c = bytes.charCodeAt(i);
    if (!(c >= 0x80 && c <= 0xbf)) return -1;
  }
  return at + count;
}

/** Text → literal. Lone surrogates come out as \u escapes, so the result is always well-formed. */
export function toJsonText(text: string): JsonText {
  return encodeUtf8(JSON.stringify(text)) as JsonText;
}

/** Literal → text. */
export function fromJsonText(literal: JsonText): string {
  return JSON.parse(decodeUtf8(literal)) as string;
}

/** Cuts the literal from quote to quote out of checked bytes. */
export function sliceJsonText(bytes: ByteText, openQuote: number, closeQuote: number): JsonText {
  return bytes.slice(openQuote, closeQuote + 1) as JsonText;
}
