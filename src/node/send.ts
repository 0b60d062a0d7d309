/** Sends requests to backends: chooses the client by the backend's url and adds what every request has. */

import type { Backend } from '../core/fleet.ts';
import type { Send } from '../core/upstream.ts';
import { createHttp1Transport } from './http1.ts';
import type { Transport } from './transport.ts';

export interface Sender {
  readonly send: Send;
  /** Closes idle connections. */
  close(): void;
}

interface Route {
  readonly transport: Transport;
  readonly basePath: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function createSender(): Sender {
  const routes = new Map<string, Route>();

  function routeOf(backend: Backend): Route {
    let route = routes.get(backend.name);
    if (!route) {
      const url = new URL(backend.url);
      route = {
        transport: createTransport(url, backend.timeouts.connectMs),
        basePath: url.pathname.replace(/\/$/, ''),
        headers: headersOf(backend),
      };
      routes.set(backend.name, route);
    }
    return route;
  }

  return {
    send(backend, { method, path, body = '' }, signal) {
      const { transport, basePath, headers } = routeOf(backend);
      return transport.send({ method, path: basePath + path, headers, body }, signal);
    },
    close() {
      for (const { transport } of routes.values()) transport.close();
    },
  };
}

function createTransport(url: URL, connectMs: number): Transport {
  if (url.protocol === 'http:') return createHttp1Transport(url, connectMs);
  // undici is loaded when the first such backend is used: it is a third of the start-up otherwise.
  const loaded = import('./undici.ts').then(({ createUndiciTransport }) =>
    createUndiciTransport(url, connectMs),
  );
  return {
    send: async (request, signal) => (await loaded).send(request, signal),
    close() {
      void loaded.then((transport) => {
        transport.close();
      });
    },
  };
}

/** Nothing of the client's own request goes along: no credentials, no cookies, no host. */
function headersOf({ apiKey, headers }: Backend): Record<string, string> {
  return {
    'content-type': 'application/json',
    // A compressed stream would have to be taken apart, and may hide more than it shows.
    'accept-encoding': 'identity',
    'user-agent': 'node-ai-gateway',
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    ...headers,
  };
}
