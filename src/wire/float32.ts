/** Vectors ⇄ base64 of little-endian float32 (RFC 4648, section 4), without Node's Buffer. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const LETTERS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));
const PADDING = 0x3d;
/** Values of the letters by character code; -1 for what is none. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));
const BYTES_OF_FLOAT = 4;

const ascii = new TextDecoder();

/** Each number becomes the float32 that is nearest to it. */
export function toBase64(numbers: readonly number[]): string {
  const bytes = new Uint8Array(numbers.length * BYTES_OF_FLOAT);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, i) => {
    view.setFloat32(i * BYTES_OF_FLOAT, number, true);
  });
  return encode(bytes);
}

/** undefined for what is not the canonical base64 of whole floats. */
export function fromBase64(text: string): Float32Array | undefined {
  const bytes = decode(text);
  if (!bytes || bytes.length % BYTES_OF_FLOAT !== 0) return undefined;
  const view = new DataView(bytes.buffer);
  const numbers = new Float32Array(bytes.length / BYTES_OF_FLOAT);
  for (let i = 0; i < numbers.length; i++) numbers[i] = view.getFloat32(i * BYTES_OF_FLOAT, true);
  return numbers;
}

/** btoa would want a string of bytes first, which costs seven times as much. */
function encode(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  for (let i = 0, o = 0; i < bytes.length; i += 3, o += 4) {
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[o] = LETTERS[bits >> 18] ?? 0;
    out[o + 1] = LETTERS[(bits >> 12) & 63] ?? 0;
    if (i + 1 < bytes.length) out[o + 2] = LETTERS[(bits >> 6) & 63] ?? 0;
    if (i + 2 < bytes.length) out[o + 3] = LETTERS[bits & 63] ?? 0;
  }
  return ascii.decode(out);
}

function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const end = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  for (let i = 0, o = 0; i < text.length; i++) {
    const value = i < end ? (VALUES[text.charCodeAt(i)] ?? -1) : 0;
    if (value < 0) return undefined;
    bits = (bits << 6) | value;
    if (i % 4 !== 3) continue;
    // Writing past the end of a typed array does nothing.
    bytes[o] = bits >> 16;
    bytes[o + 1] = bits >> 8;
    bytes[o + 2] = bits;
    o += 3;
    bits = 0;
  }
  return bytes;
}
