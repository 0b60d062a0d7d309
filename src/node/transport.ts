/** What a client for upstream connections must do, and the failures that all of them share. */

import { GatewayError } from '../core/errors.ts';
import type { BackendTls } from '../core/tls.ts';
import type { UpstreamResponse } from '../core/upstream.ts';

export interface WireRequest {
  readonly method: 'GET' | 'POST';
  /** With the base path of the backend. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Where the connections to a backend go. */
export interface Address {
  readonly origin: URL;
  /** Connected to in place of the origin's host, which is still asked for. */
  readonly address: string | undefined;
  readonly tls?: BackendTls | undefined;
  readonly connectMs: number;
}

/** The connections to one backend. See core's Send for what send() promises. */
export interface Transport {
  send(request: WireRequest, signal: AbortSignal): Promise<UpstreamResponse>;
  /** Closes connections that carry nothing. */
  close(): void;
}

/** A kept connection that breaks this soon after a request was dying before it; later it was not. */
export const STALE_WITHIN_MS = 500;

/** A kept connection that the peer had closed before it could answer: nothing was lost. */
export class StaleConnectionError extends Error {}

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
