/** One answer as undici tells it → the body that the data path reads, and the gateway's failures. */

import { errors, type Dispatcher } from 'undici';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { BodyReader, UpstreamResponse } from '../core/upstream.ts';
import type { ByteText } from '../core/stream.ts';
import { connectFailure, connectionLost, connectTimeout, StaleConnectionError } from './transport.ts';

/** What a discarded answer may still send before its connection is given up. */
const DISCARD_BYTES = 64 * 1024;
/** The connection stood, and broke; the first is undici's for what was in line on one that did. */
const LOST_CODES = ['UND_ERR_DESTROYED', 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];

export interface AnswerOptions {
  readonly signal: AbortSignal;
  readonly connectMs: number;
  /** The connection was kept, and nothing came of it: the request may be sent once more. */
  isStale(): boolean;
  resolve(response: UpstreamResponse): void;
  reject(error: Error): void;
  /** The answer is complete: the connection may carry another. */
  release(): void;
}

export function createAnswer({
  signal,
  connectMs,
  isStale,
  resolve,
  reject,
  release,
}: AnswerOptions): Dispatcher.DispatchHandler {
  let controller: Dispatcher.DispatchController | undefined;
  let hasHead = false;
  let reader: BodyReader | undefined;
  let early = '';
  let isEnded = false;
  let failure: GatewayError | undefined;
  let discarded = -1;

  function onAbort(): void {
    // Before the request has started there is no controller; onRequestStart looks at the signal.
    controller?.abort(signal.reason as Error);
    fail(signal.reason as Error);
  }

  function fail(error: Error): void {
    signal.removeEventListener('abort', onAbort);
    if (!hasHead) {
      reject(error);
    } else if (!failure && !isEnded) {
      failure = toGatewayError(error);
      if (discarded < 0) reader?.error(failure);
    }
  }

  signal.addEventListener('abort', onAbort, { once: true });

  return {
    onRequestStart(given) {
      controller = given;
      if (signal.aborted) given.abort(signal.reason as Error);
    },
    onResponseStart(given, status, headers) {
      hasHead = true;
      resolve({
        status,
        headers: flatten(headers),
        body: {
          read(to) {
            reader = to;
            if (early !== '') to.chunk(early as ByteText);
            early = '';
            if (isEnded) to.end();
            else if (failure) to.error(failure);
            else given.resume();
          },
          pause() {
            given.pause();
          },
          resume() {
            given.resume();
          },
          discard() {
            discarded = 0;
            given.resume();
          },
        },
      });
    },
    onResponseData(given, chunk) {
      const bytes = chunk.toString('latin1') as ByteText;
      if (discarded >= 0) {
        discarded += bytes.length;
        if (discarded > DISCARD_BYTES) given.abort(connectionLost());
      } else if (reader) {
        reader.chunk(bytes);
      } else {
        early += bytes;
        given.pause();
      }
    },
    onResponseEnd() {
      isEnded = true;
      signal.removeEventListener('abort', onAbort);
      release();
      if (discarded < 0) reader?.end();
    },
    onResponseError(_controller, error) {
      const failure = toFailure(error, hasHead, connectMs);
      const isLost = failure.reason === 'upstream_connection_error';
      fail(isLost && !hasHead && isStale() ? new StaleConnectionError() : failure);
    },
  };
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

/** undici's and the system's error codes → the gateway's failures. */
function toFailure(error: Error, hasHead: boolean, connectMs: number): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return connectTimeout(connectMs, error);
  const isInvalid = error instanceof errors.HTTPParserError || code === 'UND_ERR_HEADERS_OVERFLOW';
  if (isInvalid || code.includes('CONTENT_LENGTH')) {
    return new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent no valid HTTP response.',
      cause: error,
    });
  }
  return hasHead || LOST_CODES.includes(code) ? connectionLost(error) : connectFailure(error);
}
