/** The client for `https://` backends: undici's dispatch, without its timeouts, redirects and retries. */

import { Agent, errors, type Dispatcher } from 'undici';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { BodyReader, UpstreamResponse } from '../core/upstream.ts';
import type { ByteText } from '../core/stream.ts';
import { lookupOf } from './lookup.ts';
import {
  connectFailure,
  connectionLost,
  connectTimeout,
  STALE_WITHIN_MS,
  StaleConnectionError,
  type Address,
  type Transport,
  type WireRequest,
} from './transport.ts';

const IDLE_CONNECTION_MS = 4000;
const DISCARD_BYTES = 64 * 1024;

export interface TlsOptions {
  /** PEM; replaces the machine's own authorities. */
  readonly ca?: string;
}

export function createUndiciTransport(
  { origin, address, connectMs }: Address,
  tls: TlsOptions = {},
): Transport {
  const agent = new Agent({
    connect: { timeout: connectMs, ...(address !== undefined && { lookup: lookupOf(address) }), ...tls },
    // The limits on silence are the gateway's own (gateway/watch.ts).
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    pipelining: 1,
  });

  function dispatch(
    { method, path, headers, body }: WireRequest,
    signal: AbortSignal,
    mayBeStale: boolean,
  ): Promise<UpstreamResponse> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const handler = createHandler({ signal, connectMs, mayBeStale, resolve, reject });
      agent.dispatch({ origin: origin.origin, method, path, headers, body }, handler);
    });
  }

  return {
    async send(request, signal) {
      try {
        return await dispatch(request, signal, true);
      } catch (error) {
        if (!(error instanceof StaleConnectionError)) throw error;
        return dispatch(request, signal, false);
      }
    },
    close() {
      void agent.close();
    },
  };
}

interface HandlerOptions {
  readonly signal: AbortSignal;
  readonly connectMs: number;
  /** A connection that was kept too long may be told apart: the request is then sent once more. */
  readonly mayBeStale: boolean;
  resolve(response: UpstreamResponse): void;
  reject(error: unknown): void;
}

function createHandler({
  signal,
  connectMs,
  mayBeStale,
  resolve,
  reject,
}: HandlerOptions): Dispatcher.DispatchHandler {
  const startedMs = performance.now();
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
    fail(signal.reason);
  }

  function fail(error: unknown): void {
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
      if (discarded < 0) reader?.end();
    },
    onResponseError(_controller, error) {
      const isStale = mayBeStale && !hasHead && performance.now() - startedMs < STALE_WITHIN_MS;
      fail(isStale && wasReused(error) ? new StaleConnectionError() : toFailure(error, hasHead, connectMs));
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

/** The connection broke and had carried an answer before. */
function wasReused(error: Error): boolean {
  return error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0;
}

/** undici's and the system's error codes → the gateway's failures. */
function toFailure(error: Error, hasHead: boolean, connectMs: number): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return connectTimeout(connectMs, error);
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' || code.includes('CONTENT_LENGTH')) {
    return new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent no valid HTTP response.',
      cause: error,
    });
  }
  const isLost = hasHead || code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
  return isLost ? connectionLost(error) : connectFailure(error);
}
