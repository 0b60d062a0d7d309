/** Looks into the body of a request without taking it away from who sends it on. */

import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../core/errors.ts';

/** Of its head alone: what comes in chunks may still turn out to be empty. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * The whole body; undefined when it has more than `limitBytes`: then the request can be read as if
 * nobody had. Rejects with client_closed.
 */
export function peekBody(req: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  if (Number(req.headers['content-length'] ?? 0) > limitBytes) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;

    function take(chunk: Buffer): void {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= limitBytes) return;
      leave();
      req.pause();
      for (const each of chunks.reverse()) req.unshift(each);
      resolve(undefined);
    }
    function end(): void {
      leave();
      resolve(Buffer.concat(chunks, size));
    }
    function fail(cause?: unknown): void {
      leave();
      reject(
        new GatewayError('client_closed', {
          message: 'The client left before its request was complete.',
          cause,
        }),
      );
    }
    function leave(): void {
      req.off('data', take).off('end', end).off('error', fail).off('close', fail);
    }
    req.on('data', take).on('end', end).on('error', fail).on('close', fail);
  });
}
