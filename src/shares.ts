/** A worker's share of every limit that holds for the whole program. */

import type { Config } from './config/load.ts';
import type { Backend } from './core/fleet.ts';

/** Which of how many; counted from 0. */
export interface Share {
  readonly index: number;
  readonly workers: number;
}

/** The shares of all workers add up to the count; some may have none. */
export function portionOf(count: number, { index, workers }: Share): number {
  return Math.floor(count / workers) + (index < count % workers ? 1 : 0);
}

/** The same of a limit, where 0 stands for none: it is not smaller than the number of workers. */
export function shareOf(limit: number, share: Share): number {
  return Number.isFinite(limit) && limit > 0 ? Math.max(1, portionOf(limit, share)) : limit;
}

function shareBackend(backend: Backend, share: Share): Backend {
  const { maxConcurrency, queue } = backend;
  return { ...backend, maxConcurrency: shareOf(maxConcurrency, share), queue: portionOf(queue, share) };
}

/**
 * How many processes there are to be: `auto` is one for each CPU, but not more than can have a slot
 * of every backend.
 */
export function workersOf({ server, backends }: Config, cpus: number): number {
  if (server.workers !== 'auto') return server.workers;
  return Math.min(cpus, ...backends.map(({ maxConcurrency }) => maxConcurrency));
}

export function shareConfig(config: Config, share: Share): Config {
  const { server, backends, limits } = config;
  return {
    ...config,
    server: {
      ...server,
      maxConcurrency: shareOf(server.maxConcurrency, share),
      maxConnections: shareOf(server.maxConnections, share),
    },
    limits: {
      ...limits,
      // Of backends that are found and not configured.
      maxConcurrency: shareOf(limits.maxConcurrency, share),
      queue: portionOf(limits.queue, share),
      retryBudget: {
        ...limits.retryBudget,
        minPerSecond: portionOf(limits.retryBudget.minPerSecond, share),
      },
    },
    backends: backends.map((backend) => shareBackend(backend, share)),
  };
}
