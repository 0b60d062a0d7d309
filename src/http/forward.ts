/** One request to one backend through http-proxy-middleware, and what its end means. */

import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import { createProxyMiddleware, type RequestHandler } from 'http-proxy-middleware';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import { isJsonObject, parseJson } from '../core/json.ts';
import type { Backend, KindName } from '../core/fleet.ts';
import type { BackendKind } from '../core/kind.ts';
import type { ByteText } from '../core/stream.ts';
import type { Watch } from '../gateway/watch.ts';
import { invalidUrl, toClientHeaders } from './raw-message.ts';
import { createRelay } from './relay.ts';

export interface ForwardDeps {
  readonly kinds: Readonly<Record<KindName, Pick<BackendKind, 'failure'>>>;
  readonly watch: Pick<Watch, 'start' | 'stop'>;
  /** The connections to a backend. */
  readonly agentOf: (backend: Backend) => Agent;
}

export interface Forwarding {
  readonly req: Request;
  readonly res: Response;
  readonly backend: Backend;
  /** Below the backend's base path, with the query; nothing in it may lead out of there. */
  readonly path: string;
  /** All that the backend gets, but for Host and Connection. */
  readonly headers: Readonly<Record<string, string>>;
  /** In place of the client's own body, which was read. */
  readonly body: string | undefined;
  /** As the client named it; '' when it did not. For messages. */
  readonly model: string;
}

/**
 * Resolves when the answer has come to its end. Rejects with GatewayError for every failure: when
 * nothing was sent to the client, it is still to be told; when something was, it was either the
 * backend's own error or its connection is closed.
 */
export type Forward = (forwarding: Forwarding) => Promise<void>;

type Proxy = RequestHandler<Request, Response>;

/** One request's answers to what happens to it. */
interface Run {
  sending(request: ClientRequest): void;
  answered(answer: IncomingMessage): void;
  broken(error: unknown): void;
}

const NO_HEARTBEAT = { commitAfterMs: 0, everyMs: 0 };
/** Of an error body; more than this is no error as OpenAI sends it. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

export function createForward(deps: ForwardDeps): Forward {
  /** A reload makes new backends. */
  const proxies = new WeakMap<Backend, Proxy>();
  const runs = new WeakMap<Response, Run>();

  function proxyOf(backend: Backend): Proxy {
    let proxy = proxies.get(backend);
    if (!proxy) {
      proxy = createProxyMiddleware<Request, Response>({
        target: backend.url,
        changeOrigin: true,
        secure: true,
        agent: deps.agentOf(backend),
        // Statuses and headers are not the client's as they come.
        selfHandleResponse: true,
        on: {
          proxyReq: (request, _req, res) => runs.get(res)?.sending(request),
          proxyRes: (answer, _req, res) => runs.get(res)?.answered(answer),
          error: (error, req) => {
            if (req.res) runs.get(req.res)?.broken(error);
          },
        },
      });
      proxies.set(backend, proxy);
    }
    return proxy;
  }

  return (forwarding) =>
    new Promise((resolve, reject) => {
      const { req, res, backend, path, headers } = forwarding;
      const run = start(forwarding, deps, (error) => (error ? reject(error) : resolve()));
      // The client may have left while the proxy was loaded.
      if (res.destroyed) {
        run.broken(undefined);
        return;
      }
      runs.set(res, run);
      // The proxy takes both from here.
      req.url = path;
      req.headers = { ...headers };
      proxyOf(backend)(req, res, run.broken).catch(run.broken);
    });
}

function start(
  { req, res, backend, path, body, model }: Forwarding,
  { kinds, watch }: ForwardDeps,
  onEnd: (error?: GatewayError) => void,
): Run {
  const relay = createRelay(res, false);
  const controller = new AbortController();
  const watched = watch.start(backend.timeouts, NO_HEARTBEAT, { relay, deadlineMs: Infinity }, controller);
  let request: ClientRequest | undefined;
  let answer: IncomingMessage | undefined;
  let isConnected = false;
  let isOver = false;

  function end(error?: GatewayError): void {
    if (isOver) return;
    isOver = true;
    watch.stop(watched);
    onEnd(error);
  }

  function fail(error: GatewayError): void {
    if (isOver) return;
    end(error);
    if (res.headersSent) {
      res.destroy();
    } else if (answer && !res.destroyed) {
      // To close it would close the client's connection as well. It is closed when the client has its answer.
      answer.resume();
    } else {
      request?.destroy();
    }
    // Clients that are still sending read their answer when they have sent.
    req.unpipe().resume();
  }

  /** The whole exchange is a matter of one failure, whoever sees it first. */
  function broken(error: unknown): void {
    fail(relay.closedBy ?? toFailure(error, isConnected, answer !== undefined));
  }

  function failureOf(status: number, bytes: Buffer): GatewayError {
    if (status === 404) return invalidUrl(req.method, req.originalUrl);
    if (status === 405) {
      return new GatewayError('method_not_supported', { message: `Not allowed to ${req.method} here.` });
    }
    const retryAfter = answer?.headers['retry-after'];
    const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    return kinds[backend.kind].failure({
      status,
      headers,
      body: bytes.toString('latin1') as ByteText,
      model,
    });
  }

  function pass(from: IncomingMessage, status: number): void {
    res.writeHead(status, toClientHeaders(from.headers, backend, path));
    res.flushHeaders();
    from.pipe(res);
    // After pipe's own listener, which writes.
    from.on('data', () => {
      watched.hasRecord = true;
      watched.isPaused = res.writableNeedDrain;
    });
    res.on('drain', () => {
      watched.isPaused = false;
    });
    from.on('end', () => end());
  }

  function refuse(from: IncomingMessage, status: number): void {
    let bytes = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      if (isOver) return;
      watched.hasRecord = true;
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_ERROR_BODY_BYTES) fail(failureOf(status, Buffer.alloc(0)));
    });
    from.on('end', () => {
      if (isOver) return;
      if (isOpenaiError(bytes)) {
        res.writeHead(status, {
          ...toClientHeaders(from.headers, backend, path),
          'content-length': bytes.length,
        });
        res.end(bytes);
      }
      end(failureOf(status, bytes));
    });
  }

  relay.onClose = fail;
  controller.signal.addEventListener('abort', () => fail(toGatewayError(controller.signal.reason)));
  if (body === undefined) {
    // While the client sends, the backend's silence is its good right.
    watched.isPaused = true;
    req.once('end', () => {
      watched.isPaused = false;
    });
  }

  return {
    broken,
    sending(given) {
      request = given;
      if (isOver) {
        given.destroy();
        return;
      }
      if (body !== undefined) given.write(body);
      limitConnecting(given, backend, fail, () => {
        isConnected = true;
      });
    },
    answered(given) {
      answer = given;
      watched.isAnswering = true;
      // After the end it means nothing.
      given.on('close', () => broken(undefined));
      const { statusCode: status = 502 } = given;
      try {
        // Clients would take these for a fault of their own key.
        if (status === 401 || status === 407) fail(failureOf(401, Buffer.alloc(0)));
        else if (status === 403) fail(failureOf(403, Buffer.alloc(0)));
        else if (status >= 400) refuse(given, status);
        else pass(given, status);
      } catch (error) {
        broken(error);
      }
    },
  };
}

function limitConnecting(
  request: ClientRequest,
  { url, timeouts: { connectMs } }: Backend,
  fail: (error: GatewayError) => void,
  onConnect: () => void,
): void {
  const { socket } = request;
  if (!socket?.connecting) {
    onConnect();
    return;
  }
  function onTimeout(): void {
    fail(
      new GatewayError('upstream_connect_timeout', {
        message: `The upstream server did not accept a connection within ${String(connectMs / 1000)} s.`,
      }),
    );
  }
  socket.setTimeout(connectMs).once('timeout', onTimeout);
  socket.once(url.startsWith('https:') ? 'secureConnect' : 'connect', () => {
    socket.off('timeout', onTimeout).setTimeout(0);
    onConnect();
  });
}

function toFailure(error: unknown, isConnected: boolean, hasAnswer: boolean): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!isConnected) {
    return new GatewayError('upstream_unavailable', {
      message: 'The upstream server cannot be reached.',
      cause: error,
    });
  }
  if (!hasAnswer && isJsonObject(error) && String(error.code).startsWith('HPE_')) {
    return new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent no valid HTTP response.',
      cause: error,
    });
  }
  return new GatewayError('upstream_connection_error', {
    message: 'The upstream connection was lost before the response was complete.',
    cause: error,
  });
}

function isOpenaiError(bytes: Buffer): boolean {
  const body = parseJson(bytes.toString());
  return isJsonObject(body) && isJsonObject(body.error);
}
