/** JSON with holes: what is the same in every chunk of a stream is printed once. */

import type { ByteText } from '../core/stream.ts';
import { encodeUtf8 } from './utf8.ts';

/**
 * Stands where a value will be. An object and no text: inside a text its quotes would be escaped, so
 * nothing that a client or a backend named can look like it.
 */
const MARK = { hole: true };
/** For the members of published types, which know of no holes. */
export const HOLE = MARK as unknown as string;

const PRINTED_HOLE = JSON.stringify(MARK);

/** The JSON of `value`, cut where a HOLE is its value: one piece more than there are holes. */
export function splitAtHoles(value: object): readonly ByteText[] {
  return encodeUtf8(JSON.stringify(value)).split(PRINTED_HOLE) as ByteText[];
}
