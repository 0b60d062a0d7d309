/** Which models a client may ask for. */

import type { Client } from '../core/client.ts';

/**
 * By the name that was asked for, whatever stands behind it. Ollama's `:latest` may be left out on
 * either side.
 */
export function mayUse({ models }: Client, name: string): boolean {
  return models === undefined || models.some((pattern) => isMatch(pattern, name));
}

export function isMatch(pattern: string, name: string): boolean {
  return matches(withTag(pattern), withTag(name));
}

function withTag(name: string): string {
  return name.endsWith(':latest') ? name.slice(0, -':latest'.length) : name;
}

/**
 * `*` is any text, also with slashes; `?` is one character. In time of pattern times name: regular
 * expressions made of patterns can take for ever.
 */
function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (n < name.length) {
    if (pattern[p] === '*') {
      starAt = p++;
      resumeAt = n;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) {
      p++;
      n++;
    } else if (starAt >= 0) {
      // The last star takes one character more.
      p = starAt + 1;
      n = ++resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
