/** ByteText ⇄ text: UTF-8 between strings of bytes and strings of characters. */

import type { ByteText } from '../core/stream.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const NOT_ASCII = /[^\x00-\x7f]/;

/** Malformed sequences become U+FFFD, as every HTTP client does it. */
export function decodeUtf8(bytes: ByteText): string {
  if (!NOT_ASCII.test(bytes)) return bytes;
  const buffer = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) buffer[i] = bytes.charCodeAt(i);
  return decoder.decode(buffer);
}

/** Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): ByteText {
  if (!NOT_ASCII.test(text)) return text as ByteText;
  const buffer = encoder.encode(text);
  let bytes = '';
  // fromCharCode takes its characters as arguments: in pieces, for the stack has a limit.
  for (let i = 0; i < buffer.length; i += 8192) {
    bytes += String.fromCharCode(...buffer.subarray(i, i + 8192));
  }
  return bytes as ByteText;
}
