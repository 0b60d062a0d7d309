/** A worker's share of every limit that holds for the whole program. */

import type { Config } from './config/load.ts';
import type { Backend } from './core/fleet.ts';

/** Which of how many; counted from 0. */
export interface Share {
  readonly index: number;
  readonly workers: number;
}

/** The shares of all workers add up to the limit, which is not smaller than their number. */
export function shareOf(limit: number, { index, workers }: Share): number {
  if (!Number.isFinite(limit) || limit === 0) return limit;
  return Math.max(1, Math.floor(limit / workers) + (index < limit % workers ? 1 : 0));
}

function shareBackend(backend: Backend, share: Share): Backend {
  const { maxConcurrency, queue } = backend;
  return { ...backend, maxConcurrency: shareOf(maxConcurrency, share), queue: shareOf(queue, share) };
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
      retryBudget: {
        ...limits.retryBudget,
        minPerSecond: shareOf(limits.retryBudget.minPerSecond, share),
      },
    },
    backends: backends.map((backend) => shareBackend(backend, share)),
  };
}
