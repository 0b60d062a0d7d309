/** How a JSON text is built, seen before it is parsed: a parser makes objects of whatever it is given. */

import { endOfString } from './json-slice.ts';

export interface ShapeLimits {
  /** Arrays and objects inside each other: 0 for a plain value, 1 for `{}`. */
  readonly nesting: number;
  /** Of one object. */
  readonly members: number;
  /** Objects and arrays together. */
  readonly containers: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * The first limit that the text exceeds, or undefined when it keeps all. Ends where that is known.
 * What is no JSON is measured as if it were.
 */
export function exceededLimit(json: string, limits: ShapeLimits): keyof ShapeLimits | undefined {
  /** Members so far of what is open, by depth; what an array has does not count. */
  const members: number[] = [-Infinity];
  let depth = 0;
  let containers = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) {
      i = endOfString(json, i) - 1;
    } else if (c === COMMA) {
      const count = (members[depth] ?? 0) + 1;
      if (count > limits.members) return 'members';
      members[depth] = count;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > limits.nesting) return 'nesting';
      if (++containers > limits.containers) return 'containers';
      members[depth] = c === OPEN_BRACE ? 1 : -Infinity;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      depth = Math.max(0, depth - 1);
    }
  }
  return undefined;
}
