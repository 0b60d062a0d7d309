/** Listens, keeps slow and odd clients in bounds, and stops without cutting what is going on. */

import { IncomingMessage, ServerResponse, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Express } from 'express';
import { GatewayError } from '../core/errors.ts';
import type { ActiveExchange, Logger } from '../core/exchange.ts';
import type { ServerTls } from '../core/tls.ts';
import { createListener, type Listener } from './listener.ts';
import { continueWhenRead, limitUnread, UNREAD_LIMITS } from './unread.ts';

const BACKLOG = 4096;
/** Express sets prototypes per request, which Node before 24 pays for with every later property access. */
const FIRST_NODE_WITHOUT_PENALTY = 24;
/** How exactly limits on what a client sends are kept. */
const CHECK_MS = 1000;
/** Between two looks at whether the last exchange has ended. */
const DRAIN_POLL_MS = 20;
/** For error events and closing handshakes to leave after the last stream was ended. */
const LAST_WORDS_MS = 200;

export interface ServerSettings {
  /** undefined: plain HTTP. */
  readonly tls?: ServerTls | undefined;
  /** 0: no limit. */
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How long a client may leave unread what is sent to it from now on; 0: for ever. */
  stalledReaderMs(): number;
}

/** What the rest of the gateway tells of its work. */
export interface Work {
  /** The exchanges going on. */
  readonly active: () => Iterable<ActiveExchange>;
  /** Some backend works for a request, also for one that is passed on raw. */
  readonly isBusy: () => boolean;
  readonly logger: Logger;
}

export interface GatewayServer {
  /** The port that was taken. Rejects when it is not to be had. */
  listen(port: number, host: string): Promise<number>;
  /**
   * Resolves when everything has ended, or was ended after `timeoutMs`. Meanwhile the port stays
   * open, so that who still comes hears from the app that nothing new is taken.
   */
  drain(timeoutMs: number): Promise<void>;
  /** As Listener does. */
  readonly secure: Listener['secure'];
}

export function createServer(app: Express, settings: ServerSettings, work: Work): GatewayServer {
  const { server, secure } = createListener(
    app,
    { ...toOptions(settings), ...prototypeTrick(app) },
    settings.tls,
    work.logger,
  );
  // Node would leave out what is beyond. The app counts, and refuses.
  server.maxHeadersCount = 0;
  if (settings.maxConnections > 0) server.maxConnections = settings.maxConnections;
  server.on('clientError', refuse);
  // What a client expects beyond `100-continue` nobody need know (RFC 9110, section 10.1.1).
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
  continueWhenRead(server);
  server.on('request', (req, res) => {
    cutStalledReader(res, settings.stalledReaderMs());
    limitUnread(req, res, UNREAD_LIMITS);
    closeWithClient(req, res);
  });

  return {
    secure,
    listen: (port, host) => listen(server, port, host),

    async drain(timeoutMs) {
      server.closeIdleConnections();
      const { active, isBusy } = work;
      const deadline = Date.now() + timeoutMs;
      while ((hasAny(active()) || isBusy()) && Date.now() < deadline) await sleep(DRAIN_POLL_MS);
      if (hasAny(active())) {
        for (const { exchange } of active()) exchange.relay.cut(shuttingDown());
        await sleep(LAST_WORDS_MS);
      }
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      // A client that neither reads nor leaves must not hold the process.
      await atMost(LAST_WORDS_MS, closed);
      server.closeAllConnections();
    },
  };
}

function toOptions(settings: ServerSettings): ServerOptions & { readonly headersTimeout: number } {
  const { headersTimeoutMs, requestTimeoutMs } = settings;
  return {
    noDelay: true,
    maxHeaderSize: settings.maxHeaderBytes,
    // The app looks at it, and refuses in OpenAI's form.
    requireHostHeader: false,
    // Node wants the first to be the smaller one.
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeoutMs),
    keepAliveTimeout: settings.keepAliveTimeoutMs,
  };
}

/** Once an answer is written, only the client's reading is left; before that the watch looks at it. */
function cutStalledReader(res: ServerResponse, stalledReaderMs: number): void {
  if (stalledReaderMs === 0) return;
  res.on('prefinish', () => {
    res.socket?.setTimeout(stalledReaderMs);
  });
}

/**
 * An answer that waits for an earlier one on its connection (pipelined requests) has no socket yet,
 * and Node does not tell it that the client has left.
 */
function closeWithClient({ socket }: IncomingMessage, res: ServerResponse): void {
  if (res.socket) return;
  const close = (): void => {
    res.destroy();
    res.emit('close');
  };
  // There are as many as there are requests in line; Node warns of more than ten.
  socket.setMaxListeners(0);
  socket.once('close', close);
  res.once('socket', () => socket.off('close', close));
}

interface Refusal {
  readonly status: string;
  readonly message: string;
}

/** What a client sends that is no HTTP, or too much or too slow of it, by Node's code. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    message: 'The headers of the request are too large.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    message: 'The request was not complete in time.',
  },
};
/** Of a handshake that failed, or of a broken record: nobody could read an answer. */
const TLS_ERROR = /^ERR_(SSL|TLS)_/;
const NO_HTTP: Refusal = { status: '400 Bad Request', message: 'The request is no valid HTTP.' };

/** In OpenAI's form, for SDKs that show it; then the connection is closed, whatever follows on it. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  const { code = '' } = error;
  if (code === 'ECONNRESET' || TLS_ERROR.test(code) || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const { status, message } = REFUSALS[code] ?? NO_HTTP;
  const body = JSON.stringify({
    error: { message, type: 'invalid_request_error', param: null, code: null },
  });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `content-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`,
  );
}

/** Something was sent of an answer: a second head in it would be a lie. */
function isAnswering(socket: Socket & { _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
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

async function atMost(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isOver = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([done, isOver]);
  } finally {
    clearTimeout(timer);
  }
}
