/** What a backend's error becomes that answers a raw request: OpenAI's body, in its own words. Pure. */

import { withoutAddresses } from '../core/errors.ts';
import { isJsonObject, parseJson } from '../core/json.ts';

/** A word, as types and codes of errors are; what is more may tell of the backend's inside. */
const WORD = /^[a-z][\w.-]{0,63}$/i;

/**
 * OpenAI's four members out of a body that nests them in `error`, as most servers do; undefined for any
 * other body. A code in digits repeats the status and is none.
 */
export function toOpenaiError(text: string, status: number): string | undefined {
  const body = parseJson(text);
  if (!isJsonObject(body) || !isJsonObject(body.error)) return undefined;
  const { message, type, param, code } = body.error;
  return JSON.stringify({
    error: {
      message:
        typeof message === 'string' && message !== ''
          ? withoutAddresses(message)
          : `The upstream server answered with status ${String(status)}.`,
      type: isWord(type) ? type : status < 500 ? 'invalid_request_error' : 'server_error',
      param: typeof param === 'string' ? withoutAddresses(param) : null,
      code: isWord(code) ? code : null,
    },
  });
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && WORD.test(value);
}
