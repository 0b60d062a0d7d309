/** What a model prints in place of a call → the call: its name, and its arguments as they come. */

import { GatewayError } from '../../core/errors.ts';
import { createObjectReader } from './json-object.ts';

export interface ChosenCall {
  /** Once, before any arguments. */
  name(name: string): void;
  /** A further piece of the arguments' JSON text. */
  arguments(piece: string): void;
}

export interface CallReader {
  /** Throws tool_call_parse_error when the text is no such call. */
  push(piece: string): void;
  readonly hasBegun: boolean;
  /** The arguments are complete. */
  readonly hasEnded: boolean;
}

/** Far more than a name and the punctuation around it. */
const MAX_HEAD_LENGTH = 4096;

/** The arguments alone: of a call of the only function that may be called. */
export function createArgumentsReader(name: string, call: ChosenCall): CallReader {
  return createCallReader(call, (head) => {
    const start = head.search(/\S/);
    if (start < 0) return undefined;
    return { name, start };
  });
}

const HEAD = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)/;

/** `{"name":"…","arguments":{…}}`, with one of these names. */
export function createChosenCallReader(names: readonly string[], call: ChosenCall): CallReader {
  return createCallReader(call, (head) => {
    const [found, literal] = HEAD.exec(head) ?? [];
    if (found === undefined || literal === undefined) return undefined;
    const name = JSON.parse(literal) as string;
    if (!names.includes(name)) throw noSuchCall();
    return { name, start: found.length };
  });
}

/** `readHead`: the name, and where the arguments start; undefined while that cannot be told. */
function createCallReader(
  call: ChosenCall,
  readHead: (head: string) => { name: string; start: number } | undefined,
): CallReader {
  const object = createObjectReader();
  let head = '';
  let hasBegun = false;

  function takeArguments(text: string): void {
    const length = object.push(text);
    if (length < 0) throw noSuchCall();
    if (length > 0) call.arguments(text.slice(0, length));
  }

  return {
    push(piece) {
      if (hasBegun) {
        takeArguments(piece);
        return;
      }
      head += piece;
      const found = readHead(head);
      if (found) {
        const rest = head.slice(found.start);
        if (!rest.startsWith('{')) throw noSuchCall();
        hasBegun = true;
        head = '';
        call.name(found.name);
        takeArguments(rest);
      } else if (head.length > MAX_HEAD_LENGTH) {
        throw noSuchCall();
      }
    },
    get hasBegun() {
      return hasBegun;
    },
    get hasEnded() {
      return object.hasEnded;
    },
  };
}

function noSuchCall(): GatewayError {
  return new GatewayError('tool_call_parse_error', {
    message: 'The model printed something else than the call that was required. Try again.',
  });
}
