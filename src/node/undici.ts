/** The client for `https://` backends: undici's connections, without its timeouts, redirects, retries and pools. */

import { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';
import type { UpstreamResponse } from '../core/upstream.ts';
import { lookupOf } from './lookup.ts';
import { MACHINES_OWN, toConnectionOptions } from './tls.ts';
import {
  STALE_WITHIN_MS,
  StaleConnectionError,
  type Address,
  type Transport,
  type WireRequest,
} from './transport.ts';
import { createHandler } from './undici-handler.ts';

const IDLE_CONNECTION_MS = 4000;
const MAX_IDLE_CONNECTIONS = 1024;

/** What is put into one of undici's pools cannot be told from what is new, and not be avoided either. */
interface Connection {
  readonly client: Client;
  /** undefined until it stands. */
  socket: Socket | undefined;
  /** While it is being made. */
  begun: Socket | undefined;
}

export function createUndiciTransport({
  origin,
  address,
  connectMs,
  tls = MACHINES_OWN,
}: Address): Transport {
  /** Last in, first out: the others grow old and close. */
  const idle: Connection[] = [];
  // One for all: they share the sessions of TLS. It returns the socket, which its types do not tell.
  const connect: (...given: Parameters<buildConnector.connector>) => unknown = buildConnector({
    timeout: connectMs,
    // The name that the certificate must hold stays the url's.
    ...(address !== undefined && { lookup: lookupOf(address) }),
    ...toConnectionOptions(tls),
  });

  function open(): Connection {
    const connection: Connection = {
      socket: undefined,
      begun: undefined,
      client: new Client(origin.origin, {
        connect(options, done) {
          const begun = connect(options, (...[error, socket]) => {
            connection.begun = undefined;
            if (error) {
              done(error, null);
              return;
            }
            connection.socket = socket;
            done(null, socket);
          });
          if (begun instanceof Socket) connection.begun = begun;
        },
        // The limits on silence are the gateway's own (gateway/watch.ts).
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: IDLE_CONNECTION_MS,
        keepAliveMaxTimeout: IDLE_CONNECTION_MS,
        pipelining: 1,
      }),
    };
    connection.client.on('disconnect', () => {
      const index = idle.indexOf(connection);
      if (index >= 0) idle.splice(index, 1);
      // Left alone, it would connect anew.
      void connection.client.destroy();
    });
    return connection;
  }

  function keep(connection: Connection): void {
    if (idle.length < MAX_IDLE_CONNECTIONS) idle.push(connection);
    else void connection.client.close();
  }

  function dispatch(
    connection: Connection,
    { method, path, headers, body }: WireRequest,
    signal: AbortSignal,
  ): Promise<UpstreamResponse> {
    return new Promise((resolve, reject) => {
      const isStale = staleness(connection);
      const handler = createHandler({
        signal,
        connectMs,
        isStale,
        resolve,
        reject(error) {
          reject(error);
          void connection.client.destroy();
          // The client would finish making one that nobody waits for any more.
          connection.begun?.destroy(new Error('given up'));
        },
        release: () => keep(connection),
      });
      connection.client.dispatch({ method, path, headers, body }, handler);
    });
  }

  return {
    async send(request, signal) {
      signal.throwIfAborted();
      const kept = idle.pop();
      if (kept) {
        try {
          return await dispatch(kept, request, signal);
        } catch (error) {
          if (!(error instanceof StaleConnectionError)) throw error;
        }
      }
      return dispatch(open(), request, signal);
    },
    close() {
      for (const { client } of idle.splice(0)) void client.close();
    },
  };
}

/** Tells, from now on, whether the connection was dying before it could answer. */
function staleness(connection: Connection): () => boolean {
  const { socket } = connection;
  const startedMs = performance.now();
  const bytesRead = socket?.bytesRead ?? 0;
  return () =>
    socket !== undefined &&
    connection.socket === socket &&
    socket.bytesRead === bytesRead &&
    performance.now() - startedMs < STALE_WITHIN_MS;
}
