/** Listens, and stops without cutting what is going on. */

import { createServer as createHttpServer, IncomingMessage, ServerResponse, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { GatewayError } from '../core/errors.ts';
import type { ActiveExchange } from '../core/exchange.ts';

/** Load balancers keep connections for 60 s; the side that closes first must be theirs. */
const KEEP_ALIVE_MS = 75_000;
const BACKLOG = 4096;
/** Express sets prototypes per request, which Node before 24 pays for with every later property access. */
const FIRST_NODE_WITHOUT_PENALTY = 24;
/** Between two looks at whether the last exchange has ended. */
const DRAIN_POLL_MS = 20;
/** For error events and closing handshakes to leave after the last stream was ended. */
const LAST_WORDS_MS = 200;

export interface GatewayServer {
  /** The port that was taken. Rejects when it is not to be had. */
  listen(port: number, host: string): Promise<number>;
  /** Resolves when everything has ended, or was ended after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}

/** `isBusy`: some backend works for a request, also for one that is passed on raw. */
export function createServer(
  app: Express,
  active: () => Iterable<ActiveExchange>,
  isBusy: () => boolean,
): GatewayServer {
  const server = createHttpServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true, ...prototypeTrick(app) },
    app,
  );
  return {
    listen: (port, host) => listen(server, port, host),

    async drain(timeoutMs) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const deadline = Date.now() + timeoutMs;
      while ((hasAny(active()) || isBusy()) && Date.now() < deadline) await sleep(DRAIN_POLL_MS);
      if (hasAny(active())) {
        for (const { exchange } of active()) exchange.relay.cut(shuttingDown());
        await sleep(LAST_WORDS_MS);
      }
      server.closeIdleConnections();
      // A client that neither reads nor leaves must not hold the process.
      await Promise.race([closed, sleep(LAST_WORDS_MS)]);
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/**
 * Requests and responses that are born with the app's prototypes, so that Express changes nothing.
 * Classes and not functions that call the originals: V8 sizes an object by its constructors, and
 * one that outgrows its size becomes a hash table, which is slow and takes 2.4 KB more.
 */
function prototypeTrick(app: Express): object {
  if (Number.parseInt(process.versions.node, 10) >= FIRST_NODE_WITHOUT_PENALTY) return {};
  class Request extends IncomingMessage {}
  class Response extends ServerResponse {}
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Response.prototype, app.response);
  app.request = Request.prototype as unknown as Express['request'];
  app.response = Response.prototype as unknown as Express['response'];
  return { IncomingMessage: Request, ServerResponse: Response };
}

function shuttingDown(): GatewayError {
  return new GatewayError('shutting_down', {
    message: 'The gateway is shutting down. Send the request again.',
    retryAfterSeconds: 1,
  });
}

function hasAny(items: Iterable<unknown>): boolean {
  return items[Symbol.iterator]().next().done === false;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
