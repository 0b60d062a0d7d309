/** One HTTP request to a backend and its answer, as the data path sees them. */

import type { GatewayError } from './errors.ts';
import type { Backend } from './fleet.ts';
import type { ByteText } from './stream.ts';

export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  /** Appended to the backend's url. */
  readonly path: string;
  /** The path stands beside the API and not below it: `/health` of a server whose API is `/v1`. */
  readonly isBesideApi?: boolean;
  readonly body?: string;
  /** Besides those that every request to the backend has. Lower-case names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface BodyReader {
  chunk(bytes: ByteText): void;
  end(): void;
  /** The connection failed before the body's end. */
  error(error: GatewayError): void;
}

export interface UpstreamResponse {
  readonly status: number;
  /** Lower-case names; repeated fields joined by ', '. */
  readonly headers: Readonly<Record<string, string>>;
  /** Apart from the rest, which nobody needs while a long answer flows. */
  readonly body: UpstreamBody;
}

export interface UpstreamBody {
  /** Starts the flow; one reader, called synchronously, one `chunk` per read from the socket. */
  read(reader: BodyReader): void;
  pause(): void;
  resume(): void;
  /** The rest does not matter: it is read for a moment, so that the connection can be used again. */
  discard(): void;
}

/**
 * Sends one request, without following redirects or retrying. Rejects with GatewayError:
 * upstream_unavailable, upstream_connect_timeout, upstream_connection_error. When `signal` aborts,
 * before or during the answer, the connection is closed at once and the failure is its reason.
 */
export type Send = (
  backend: Backend,
  request: UpstreamRequest,
  signal: AbortSignal,
) => Promise<UpstreamResponse>;
