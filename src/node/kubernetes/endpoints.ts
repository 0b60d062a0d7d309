/** The pods behind the Services that backends name, each Service watched from when it is first asked for. */

import { createKubernetesApi, type ClusterAccess } from './api.ts';
import { serviceOf, type Endpoint } from './slices.ts';
import { watchService, type ServiceWatch, type WatchDeps } from './watch.ts';

export interface KubernetesEndpoints {
  /** Of the Service that the url's host names. Rejects when it cannot be known yet. */
  lookUp(url: URL): Promise<readonly Endpoint[]>;
  /** Ends the watches of Services that none of these hosts names. */
  keepOnly(hosts: ReadonlySet<string>): void;
  close(): void;
}

export type EndpointsDeps = Omit<WatchDeps, 'api' | 'sleep'> & Partial<Pick<WatchDeps, 'sleep'>>;

export function createKubernetesEndpoints(
  access: () => ClusterAccess,
  deps: EndpointsDeps,
): KubernetesEndpoints {
  const api = createKubernetesApi(access);
  const watches = new Map<string, Promise<ServiceWatch>>();

  async function start(host: string): Promise<ServiceWatch> {
    const service = serviceOf(host, await api.ownNamespace());
    return watchService(service, { sleep, ...deps, api });
  }

  async function watchOf(host: string): Promise<ServiceWatch> {
    const known = watches.get(host) ?? start(host);
    watches.set(host, known);
    try {
      return await known;
    } catch (error) {
      // No namespace to be had: it is looked for again.
      watches.delete(host);
      throw error;
    }
  }

  function stop(host: string): void {
    void watches.get(host)?.then((watch) => {
      watch.stop();
    });
    watches.delete(host);
  }

  return {
    async lookUp({ hostname, port, protocol }) {
      const watch = await watchOf(hostname);
      return watch.endpoints(port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port));
    },
    keepOnly(hosts) {
      for (const host of [...watches.keys()]) if (!hosts.has(host)) stop(host);
    },
    close() {
      for (const host of [...watches.keys()]) stop(host);
    },
  };
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
