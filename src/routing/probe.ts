/** Keeps the pool's knowledge of its backends fresh. */

import type { Logger } from '../core/exchange.ts';
import type { Backend, Discover, Pool } from '../core/fleet.ts';

export interface Prober {
  /** Probes every backend that is not being probed. Never rejects. */
  probeAll(): Promise<void>;
}

interface ProberOptions {
  readonly backends: readonly Backend[];
  readonly pool: Pool;
  readonly discover: Discover;
  /** A signal that aborts when a probe has taken too long. */
  readonly timeout: () => AbortSignal;
  readonly logger: Logger;
}

export function createProber({ backends, pool, discover, timeout, logger }: ProberOptions): Prober {
  const underWay = new Set<string>();
  const health = new Map<string, boolean>();

  async function probe(backend: Backend): Promise<void> {
    if (underWay.has(backend.name)) return;
    underWay.add(backend.name);
    try {
      const discovery = await discover(backend, timeout());
      pool.probed(backend, discovery);
      note(backend, true, { models: discovery.models.size });
    } catch (error) {
      pool.probed(backend, undefined);
      note(backend, false, { error });
    } finally {
      underWay.delete(backend.name);
    }
  }

  /** A line for each change, and none for each probe. */
  function note(backend: Backend, isUp: boolean, fields: Readonly<Record<string, unknown>>): void {
    if (health.get(backend.name) === isUp) return;
    health.set(backend.name, isUp);
    if (isUp) logger.info('backend is up', { backend: backend.name, ...fields });
    else logger.warn('backend is down', { backend: backend.name, ...fields });
  }

  return {
    async probeAll() {
      await Promise.all(backends.map(probe));
    },
  };
}
