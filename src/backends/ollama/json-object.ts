/** Follows one JSON object through the pieces of a text that a model prints. */

export interface ObjectReader {
  /**
   * How much of the piece belongs to the object: all of it, until the object ends; -1 for what cannot
   * be a part of one. The first piece begins with its brace.
   */
  push(piece: string): number;
  readonly hasEnded: boolean;
}

/** No arguments of a call are nested so deep. */
const MAX_DEPTH = 1000;
const CLOSERS: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

export function createObjectReader(): ObjectReader {
  /** What must close what is open, innermost last. */
  const closers: string[] = [];
  let isInString = false;
  let isEscaped = false;
  let hasEnded = false;

  /** False when the character cannot stand here. */
  function takeCharacter(c: string): boolean {
    if (isEscaped) isEscaped = false;
    else if (isInString) {
      if (c === '"') isInString = false;
      else if (c === '\\') isEscaped = true;
    } else if (c === '"') isInString = true;
    else if (c === '{' || c === '[') closers.push(String(CLOSERS[c]));
    else if (c === '}' || c === ']') return closers.pop() === c;
    return closers.length <= MAX_DEPTH;
  }

  return {
    push(piece) {
      for (let i = 0; i < piece.length && !hasEnded; i++) {
        if (!takeCharacter(piece.charAt(i))) return -1;
        hasEnded = closers.length === 0;
        if (hasEnded) return i + 1;
      }
      return hasEnded ? 0 : piece.length;
    },
    get hasEnded() {
      return hasEnded;
    },
  };
}
