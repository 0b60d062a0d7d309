/** The header fields of an HTTP/1.1 response (RFC 9110, section 5). */

import { GatewayError } from '../core/errors.ts';

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A line end of its own, or what some readers take for one. */
const BREAK = /[\r\n\0]/;
const TAB = 0x09;
const SPACE = 0x20;

/** Names in lower case; repeated fields joined by ', '. Throws upstream_invalid_response for what is no field. */
export function toHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    if (!FIELD_NAME.test(name) || BREAK.test(line)) throw invalidResponse('a broken header field');
    const value = trimBlanks(line, colon + 1);
    const key = name.toLowerCase();
    const earlier = headers[key];
    // Two lengths, equal or not, become one that is no number (RFC 9112, section 6.3).
    headers[key] = earlier === undefined ? value : `${earlier}, ${value}`;
  }
  return headers;
}

/** From `start` on, without the blanks around it. An expression would look at every blank again and again. */
function trimBlanks(line: string, start: number): string {
  let from = start;
  let to = line.length;
  while (from < to && isBlank(line.charCodeAt(from))) from++;
  while (to > from && isBlank(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

function isBlank(c: number): boolean {
  return c === SPACE || c === TAB;
}

/** Whether the connection may carry another message. */
export function isKeptAlive(isHttp11: boolean, connection = ''): boolean {
  const options = connection
    .toLowerCase()
    .split(',')
    .map((option) => option.trim());
  return isHttp11 ? !options.includes('close') : options.includes('keep-alive');
}

export function invalidResponse(what: string): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: `The upstream server sent ${what} instead of a valid HTTP response.`,
  });
}
