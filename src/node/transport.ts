/** What a client for upstream connections must do, and the failures that all of them share. */

import { GatewayError } from '../core/errors.ts';
import type { UpstreamResponse } from '../core/upstream.ts';

export interface WireRequest {
  readonly method: 'GET' | 'POST';
  /** With the base path of the backend. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The connections to one backend. See core's Send for what send() promises. */
export interface Transport {
  send(request: WireRequest, signal: AbortSignal): Promise<UpstreamResponse>;
  /** Closes connections that carry nothing. */
  close(): void;
}

export function connectTimeout(connectMs: number, cause?: unknown): GatewayError {
  return new GatewayError('upstream_connect_timeout', {
    message: `The upstream server did not accept a connection within ${String(connectMs / 1000)} s.`,
    cause,
  });
}

/** Refused, no such host, no route, or a certificate that does not hold. */
export function connectFailure(cause: unknown): GatewayError {
  return new GatewayError('upstream_unavailable', {
    message: 'The upstream server cannot be reached.',
    cause,
  });
}

export function connectionLost(cause?: unknown): GatewayError {
  return new GatewayError('upstream_connection_error', {
    message: 'The upstream connection was lost before the response was complete.',
    cause,
  });
}
