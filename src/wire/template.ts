/** JSON with holes: what is the same in every chunk of a stream is printed once. */

import type { ByteText } from '../core/stream.ts';
import { encodeUtf8 } from './utf8.ts';

/** Stands where a value will be; no name that passed validation holds a NUL. */
export const HOLE = '\u0000hole';

const PRINTED_HOLE = JSON.stringify(HOLE);

/** The JSON of `value`, cut where a HOLE is its value: one piece more than there are holes. */
export function splitAtHoles(value: object): readonly ByteText[] {
  return encodeUtf8(JSON.stringify(value)).split(PRINTED_HOLE) as ByteText[];
}
