// The text of a simulated token: its place in the answer and when it was written, in a fixed number of
// digits, so that the backend can write them into a finished frame and the load generator finds them unparsed.

const PLACE_DIGITS = 7;
const STAMP_DIGITS = 10;
/** Stamps begin again after so many microseconds (2.7 hours, more than any run takes). */
const STAMP_RANGE = 10 ** STAMP_DIGITS;
const ZERO = 0x30;

/** Before anything is written into it. */
export const BLANK_TOKEN = ` ${'0'.repeat(PLACE_DIGITS)}.${'0'.repeat(STAMP_DIGITS)}`;
const PLACE_AT = 1;
const STAMP_AT = PLACE_AT + PLACE_DIGITS + 1;
const TOKEN = /^ \d{7}\.\d{10}$/;

/** @param {string} text */
export function isToken(text) {
  return TOKEN.test(text);
}

/**
 * @param {Buffer} bytes with a BLANK_TOKEN at `at`
 * @param {number} microseconds of the clock
 */
export function writeToken(bytes, at, place, microseconds) {
  writeDigits(bytes, at + PLACE_AT, PLACE_DIGITS, place);
  writeDigits(bytes, at + STAMP_AT, STAMP_DIGITS, Math.floor(microseconds % STAMP_RANGE));
}

/** @param {string} text with a token at `at` */
export function readPlace(text, at) {
  return readDigits(text, at + PLACE_AT, PLACE_DIGITS);
}

/**
 * Microseconds since the token at `at` was written.
 * @param {number} microseconds of the clock
 */
export function ageOfToken(text, at, microseconds) {
  const stamp = readDigits(text, at + STAMP_AT, STAMP_DIGITS);
  return ((microseconds % STAMP_RANGE) - stamp + STAMP_RANGE) % STAMP_RANGE;
}

function writeDigits(bytes, at, count, value) {
  let rest = value;
  for (let i = at + count - 1; i >= at; i--) {
    const shorter = Math.floor(rest / 10);
    bytes[i] = ZERO + rest - shorter * 10;
    rest = shorter;
  }
}

/** NaN-free only where digits stand: anything else gives a number that matches nothing. */
function readDigits(text, at, count) {
  let value = 0;
  for (let i = at; i < at + count; i++) value = value * 10 + text.charCodeAt(i) - ZERO;
  return value;
}
