/** Keeps the pool's knowledge of its backends fresh. */

import { GatewayError } from '../core/errors.ts';
import type { Backend, Discover, Pool } from '../core/fleet.ts';
import type { Logger } from '../core/exchange.ts';

export interface Prober {
  /** Probes every backend that is not being probed. Never rejects. */
  probeAll(): Promise<void>;
}

interface ProberOptions {
  readonly pool: Pick<Pool, 'probed' | 'status'>;
  readonly discover: Discover;
  /** A signal that aborts when a probe has taken too long. */
  readonly timeout: () => AbortSignal;
  /** Failed probes in a row after which a backend is down. */
  readonly downAfter: () => number;
  readonly logger: Logger;
}

export function createProber({ pool, discover, timeout, downAfter, logger }: ProberOptions): Prober {
  const underWay = new Set<Backend>();
  const health = new Map<string, boolean>();
  /** Failed probes in a row. */
  const failures = new Map<string, number>();

  async function probe(backend: Backend): Promise<void> {
    if (underWay.has(backend)) return;
    underWay.add(backend);
    try {
      const discovery = await discover(backend, timeout());
      failures.delete(backend.name);
      pool.probed(backend, discovery);
      note(backend, true, { models: discovery.models.size });
    } catch (error) {
      fail(backend, error);
    } finally {
      underWay.delete(backend);
    }
  }

  /** A busy server may be late once; where nobody listens, no second look is needed. */
  function fail(backend: Backend, error: unknown): void {
    const count = (failures.get(backend.name) ?? 0) + 1;
    failures.set(backend.name, count);
    const isGone = error instanceof GatewayError && error.reason === 'upstream_unavailable';
    const isFirst = !health.has(backend.name);
    if (!isGone && !isFirst && count < downAfter()) return;
    pool.probed(backend, undefined);
    note(backend, false, { error });
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
      const backends = pool.status().map(({ backend }) => backend);
      const names = new Set(backends.map(({ name }) => name));
      for (const name of health.keys()) if (!names.has(name)) health.delete(name);
      await Promise.all(backends.map(probe));
    },
  };
}
