/** A request's JSON body as text, within a limit, compressed or not. */

import type { IncomingMessage } from 'node:http';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import { clientClosed, codingOf, inflateBody, tooLarge } from './inflate.ts';

/**
 * Rejects with unsupported_content_type, body_too_large (without reading on), invalid_request for
 * what is not UTF-8 or cannot be inflated, and client_closed.
 */
export function readBody(req: IncomingMessage, limitBytes: number): Promise<string> {
  checkContentType(req);
  const coding = codingOf(req);
  if (Number(req.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  return coding === undefined
    ? readPlain(req, limitBytes)
    : inflateBody(req, coding, limitBytes).then(toText);
}

function readPlain(req: IncomingMessage, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    function take(chunk: Buffer): void {
      size += chunk.length;
      if (size <= limitBytes) {
        chunks.push(chunk);
      } else {
        chunks = [];
        req.off('data', take).pause();
        reject(tooLarge(limitBytes));
      }
    }
    req.on('data', take);
    req.on('end', () => {
      const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size);
      // The listeners live as long as the request, and a stream can be long.
      chunks = [];
      try {
        resolve(toText(body));
      } catch (error) {
        reject(toGatewayError(error));
      }
    });
    function leave(): void {
      if (!req.complete) reject(clientClosed());
    }
    req.on('error', leave).on('close', leave);
  });
}

/** The same where a request may come without a body: that is an empty object. */
export async function readOptionalBody(req: IncomingMessage, limitBytes: number): Promise<string> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = req.headers;
  return length === '0' && encoding === undefined ? '{}' : readBody(req, limitBytes);
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Throws invalid_request for what is not UTF-8. */
export function toText(body: Buffer): string {
  try {
    return strictUtf8.decode(body);
  } catch (cause) {
    throw new GatewayError('invalid_request', {
      message: 'We could not parse the JSON body of your request. (HINT: it must be encoded as UTF-8.)',
      cause,
    });
  }
}

/** By the content-type of a request. */
export function isJson({ headers }: IncomingMessage): boolean {
  return /^\s*application\/([\w.+-]+\+)?json\s*(;|$)/i.test(headers['content-type'] ?? '');
}

/** Throws unsupported_content_type for what is not JSON in UTF-8. */
export function checkContentType(req: IncomingMessage): void {
  const { headers } = req;
  const type = headers['content-type'] ?? '';
  if (!isJson(req)) {
    throw new GatewayError('unsupported_content_type', {
      message: `Unsupported content type: '${type.slice(0, 100)}'. This API method only accepts 'application/json' requests, but you specified the header 'Content-Type: ${type.slice(0, 100)}'. Please try again with a supported content type.`,
    });
  }
  const [, ...parameters] = type.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new GatewayError('unsupported_content_type', { message: 'The request body must be UTF-8.' });
  }
}
