/** A compressed request body, inflated as it arrives and given up as soon as it is too much. */

import type { IncomingMessage } from 'node:http';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { GatewayError } from '../core/errors.ts';

/** By the names of RFC 9110, section 8.4.1. */
const INFLATERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;
export type Coding = keyof typeof INFLATERS;

const ACCEPTED = 'gzip, deflate, br';
/** Text that people write does not come near; what does was made to cost memory and time. */
const MAX_RATIO = 200;
/** What is too little to be looked at so. */
const FREE_BYTES = 1024 ** 2;

/**
 * undefined: the body is not compressed. Throws unsupported_content_type for other codings, and for several:
 * nobody needs a body that was compressed twice.
 */
export function codingOf({ headers }: IncomingMessage): Coding | undefined {
  const given = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (given === '' || given === 'identity') return undefined;
  if (isCoding(given)) return given;
  throw new GatewayError('unsupported_content_type', {
    message: `Unsupported content encoding: '${given.slice(0, 100)}'. A request body may be compressed once, by one of ${ACCEPTED}, or be sent as it is.`,
    headers: { 'accept-encoding': ACCEPTED },
  });
}

function isCoding(name: string): name is Coding {
  return Object.hasOwn(INFLATERS, name);
}

/**
 * At most `limitBytes` on either side. Rejects with body_too_large without reading on, with invalid_request for
 * what is not compressed so, is cut off or goes on behind its end, and with client_closed.
 */
export function inflateBody(req: IncomingMessage, coding: Coding, limitBytes: number): Promise<Buffer> {
  const inflater = INFLATERS[coding]();
  const chunks: Buffer[] = [];
  let sent = 0;
  let size = 0;
  return new Promise((resolve, reject) => {
    function count(chunk: Buffer): void {
      sent += chunk.length;
      if (sent > limitBytes) stop(tooLarge(limitBytes));
    }
    function take(chunk: Buffer): void {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limitBytes) stop(tooLarge(limitBytes));
      else if (size > FREE_BYTES && size > inflater.bytesWritten * MAX_RATIO) stop(tooDense());
    }
    function end(): void {
      if (inflater.bytesWritten === sent) resolve(Buffer.concat(chunks, size));
      stop(corrupt(coding));
    }
    function leave(): void {
      if (!req.complete) stop(clientClosed());
    }
    /** Without effect on the outcome when there is one. */
    function stop(error: GatewayError): void {
      reject(error);
      chunks.length = 0;
      req.unpipe(inflater).off('data', count).off('error', leave).off('close', leave);
      if (!req.complete) req.pause();
      inflater.off('data', take).destroy();
    }
    req.on('data', count).on('error', leave).on('close', leave);
    inflater.on('data', take).on('end', end);
    inflater.on('error', (cause) => stop(corrupt(coding, cause)));
    req.pipe(inflater);
  });
}

/** A body above the limit, compressed or not. */
export function tooLarge(limitBytes: number): GatewayError {
  return new GatewayError('body_too_large', {
    message: `The request body is larger than ${String(limitBytes)} bytes, which is the limit of this gateway, also for what a compressed body becomes.`,
  });
}

function tooDense(): GatewayError {
  return new GatewayError('body_too_large', {
    message: `The compressed request body becomes more than ${String(MAX_RATIO)} times as large. Send it without compression.`,
  });
}

function corrupt(coding: Coding, cause?: Error): GatewayError {
  return new GatewayError('invalid_request', {
    message: `We could not inflate the body of your request. (HINT: by its Content-Encoding it must be one complete ${coding} stream and nothing else.)`,
    cause,
  });
}

export function clientClosed(): GatewayError {
  return new GatewayError('client_closed', {
    message: 'The client left before its request was complete.',
  });
}
