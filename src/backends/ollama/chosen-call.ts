/** Reads `{"name":"…","arguments":{…}}` piece by piece and gives the arguments as they come. */

import { GatewayError } from '../../core/errors.ts';

export interface ChosenCall {
  /** Once, before any arguments. */
  name(name: string): void;
  /** A further piece of the arguments' JSON text. */
  arguments(piece: string): void;
}

export interface ChosenCallReader {
  /** Throws tool_call_parse_error when the text is no such call. */
  push(piece: string): void;
}

const HEAD = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)/;
/** Far more than a name and the punctuation around it. */
const MAX_HEAD_LENGTH = 4096;

export function createChosenCallReader(call: ChosenCall): ChosenCallReader {
  let head = '';
  let hasName = false;
  // Where in the arguments we are: how deep, in a string, after a backslash.
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  let isDone = false;

  /** The index after the arguments' end, or the end of the text when they go on. */
  function endOfArguments(text: string): number {
    for (let i = 0; i < text.length; i++) {
      const c = text.charAt(i);
      if (isEscaped) isEscaped = false;
      else if (isInString) {
        if (c === '"') isInString = false;
        else if (c === '\\') isEscaped = true;
      } else if (c === '"') isInString = true;
      else if (c === '{' || c === '[') depth++;
      else if ((c === '}' || c === ']') && --depth === 0) {
        isDone = true;
        return i + 1;
      }
    }
    return text.length;
  }

  function takeArguments(text: string): void {
    const piece = text.slice(0, endOfArguments(text));
    if (piece !== '') call.arguments(piece);
  }

  return {
    push(piece) {
      if (isDone) return;
      if (hasName) {
        takeArguments(piece);
        return;
      }
      head += piece;
      const [found, name] = HEAD.exec(head) ?? [];
      if (found !== undefined && name !== undefined) {
        hasName = true;
        call.name(JSON.parse(name) as string);
        takeArguments(head.slice(found.length));
        head = '';
      } else if (head.length > MAX_HEAD_LENGTH) {
        throw new GatewayError('tool_call_parse_error', {
          message: 'The model printed something else than the call that was required. Try again.',
        });
      }
    },
  };
}
