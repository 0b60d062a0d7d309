/** What undici tells of an answer → what the gateway hears of one, and its failures. */

import { errors, type Dispatcher } from 'undici';
import { GatewayError } from '../core/errors.ts';
import type { ByteText } from '../core/stream.ts';
import { Answer, type AnswerOptions } from './answer.ts';
import { connectFailure, connectionLost, connectTimeout, StaleConnectionError } from './transport.ts';

/** The connection stood, and broke; the first is undici's for what was in line on one that did. */
const LOST_CODES = ['UND_ERR_DESTROYED', 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'];

export interface HandlerOptions extends Omit<AnswerOptions, 'flow'> {
  readonly connectMs: number;
  /** The connection was kept, and nothing came of it: the request may be sent once more. */
  isStale(): boolean;
}

export function createHandler({
  connectMs,
  isStale,
  ...options
}: HandlerOptions): Dispatcher.DispatchHandler {
  const { signal } = options;
  let controller: Dispatcher.DispatchController | undefined;
  let hasHead = false;
  const answer = new Answer({
    ...options,
    flow: {
      pause: () => controller?.pause(),
      resume: () => controller?.resume(),
      cut(error) {
        // Before the request has started there is no controller; onRequestStart looks at the signal.
        controller?.abort(error);
        answer.fail(error);
      },
    },
  });

  return {
    onRequestStart(given) {
      controller = given;
      if (signal.aborted) given.abort(signal.reason as Error);
    },
    onResponseStart(_controller, status, headers) {
      hasHead = true;
      answer.head(status, flatten(headers));
    },
    onResponseData(_controller, chunk) {
      answer.bytes(chunk.toString('latin1') as ByteText);
    },
    onResponseEnd() {
      answer.end();
    },
    onResponseError(_controller, error) {
      const failure = toFailure(error, hasHead, connectMs);
      const isLost = failure.reason === 'upstream_connection_error';
      answer.fail(isLost && !hasHead && isStale() ? new StaleConnectionError() : failure);
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
