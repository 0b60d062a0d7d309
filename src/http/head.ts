/** What is refused by the head of a request alone, where Node's parser lets more through than one reading. */

import type { Request, RequestHandler } from 'express';
import { GatewayError } from '../core/errors.ts';

/** Node by itself leaves out those beyond its limit; a proxy in front has seen them. */
const MAX_HEADERS = 200;
const CLOSE = { connection: 'close' };

/** Throws headers_too_large and invalid_request. */
export const checkHead: RequestHandler = (req, _res, next) => {
  if (req.rawHeaders.length > 2 * MAX_HEADERS) {
    throw new GatewayError('headers_too_large', {
      message: `The request has more than ${String(MAX_HEADERS)} headers.`,
      headers: CLOSE,
    });
  }
  const fault = faultOf(req);
  if (fault !== undefined) throw new GatewayError('invalid_request', { message: fault, headers: CLOSE });
  next();
};

function faultOf({ rawHeaders, headers, httpVersion }: Request): string | undefined {
  // RFC 9112, sections 3.2 and 6.1.
  if (isRepeated(rawHeaders, 'host')) return 'The request names more than one host.';
  if (httpVersion === '1.1' && headers.host === undefined) return 'The request names no host.';
  if (httpVersion === '1.0' && headers['transfer-encoding'] !== undefined) {
    return 'A request of HTTP/1.0 has no Transfer-Encoding.';
  }
  return undefined;
}

function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const each = rawHeaders[i];
    if (each?.length === name.length && each.toLowerCase() === name) count++;
  }
  return count > 1;
}
