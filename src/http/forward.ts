/** Sends raw requests to backends through http-proxy-middleware. */

import type { Agent } from 'node:http';
import type { Request, Response } from 'express';
import { createProxyMiddleware, type RequestHandler } from 'http-proxy-middleware';
import type { GatewayError } from '../core/errors.ts';
import type { ActiveExchange } from '../core/exchange.ts';
import type { Backend, KindName } from '../core/fleet.ts';
import type { BackendKind } from '../core/kind.ts';
import type { Owned } from '../core/stream.ts';
import type { Watch } from '../gateway/watch.ts';
import { startRun, type Run } from './raw-run.ts';

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
  /** The methods that the path has whatever the backend says; undefined when only that can tell. */
  readonly allow: string | undefined;
  /** Ends with its relay; whether it is a stream, the answer tells. */
  readonly exchange: Owned<ActiveExchange['exchange']>;
}

/**
 * Resolves when the answer has come to its end. Rejects with GatewayError for every failure: when
 * nothing was sent to the client, it is still to be told; when something was, it was either the
 * backend's own error or its connection is closed.
 */
export type Forward = (forwarding: Forwarding) => Promise<void>;

type Proxy = RequestHandler<Request, Response>;

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
      const { req, res, backend, path, headers, exchange } = forwarding;
      const run = startRun(forwarding, deps, (error?: GatewayError) => (error ? reject(error) : resolve()));
      // The client may have left while the proxy was loaded.
      if (res.destroyed || exchange.relay.closedBy) {
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
