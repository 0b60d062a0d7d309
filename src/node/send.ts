/** Sends requests to backends: chooses the client by the backend's url and adds what every request has. */

import type { Backend } from '../core/fleet.ts';
import type { Send } from '../core/upstream.ts';
import type { Address } from './transport.ts';
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
  /** Where the server has what is not of its API. */
  readonly rootPath: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function createSender(): Sender {
  /** A reload makes new backends; one that has not changed keeps its connections. */
  const routes = new WeakMap<Backend, Route>();
  const transports = new Map<string, Transport>();

  function routeOf(backend: Backend): Route {
    let route = routes.get(backend);
    if (!route) {
      const { pathname } = new URL(backend.url);
      const basePath = pathname.replace(/\/$/, '');
      route = {
        transport: transportOf(backend),
        basePath,
        rootPath: basePath.replace(/\/v1$/, ''),
        headers: headersOf(backend),
      };
      routes.set(backend, route);
    }
    return route;
  }

  function transportOf({ url, address, tls, timeouts: { connectMs } }: Backend): Transport {
    const { origin } = new URL(url);
    const key = JSON.stringify([origin, address, connectMs, tls]);
    const transport =
      transports.get(key) ?? createTransport({ origin: new URL(origin), address, connectMs, tls });
    transports.set(key, transport);
    return transport;
  }

  return {
    send(backend, { method, path, body = '', isBesideApi = false, headers: more }, signal) {
      const { transport, basePath, rootPath, headers: fixed } = routeOf(backend);
      const headers = more ? { ...fixed, ...more } : fixed;
      const fullPath = (isBesideApi ? rootPath : basePath) + path;
      return transport.send({ method, path: fullPath, headers, body }, signal);
    },
    close() {
      for (const transport of transports.values()) transport.close();
    },
  };
}

function createTransport(address: Address): Transport {
  if (address.origin.protocol === 'http:') return createHttp1Transport(address);
  // undici is loaded when the first such backend is used: it is a third of the start-up otherwise.
  const loaded = import('./undici.ts').then(({ createUndiciTransport }) => createUndiciTransport(address));
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
