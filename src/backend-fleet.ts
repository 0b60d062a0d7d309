/** The backends: configured, looked up and probed again and again, and chosen from. */

import type { Config } from './config/load.ts';
import type { Logger, Now } from './core/exchange.ts';
import type { Backend, Pool } from './core/fleet.ts';
import type { Send } from './core/upstream.ts';
import { createDiscover } from './node/discover.ts';
import { createKubernetesEndpoints } from './node/kubernetes/endpoints.ts';
import { createResolver, lookUpInDns } from './node/resolve.ts';
import { createPool } from './routing/pool.ts';
import { createProber, type Prober } from './routing/probe.ts';

export interface BackendFleet {
  readonly pool: Pool;
  readonly prober: Prober;
  /** Looks up the addresses of backends that have several. */
  resolve(): Promise<void>;
  /** The same, then probes all; the first one makes the gateway ready. */
  discover(): Promise<void>;
  /**
   * Serves with what is found in place of a configuration. Resolves when all of it was probed, and
   * rejects as the search does.
   */
  adopt(search: Promise<readonly Backend[]>): Promise<void>;
  /** The search that goes on, however it ends; undefined when the backends are known. */
  search(): Promise<void> | undefined;
  /** Resolves with what makes these backends hold: all at once, with whatever else changes. */
  prepare(backends: readonly Backend[]): Promise<() => void>;
  close(): void;
}

interface FleetOptions {
  readonly config: () => Config;
  readonly send: Send;
  readonly logger: Logger;
  readonly now: Now;
}

/** `first`: those of the configuration; what is found instead is adopted later. */
export function createBackendFleet(
  first: readonly Backend[],
  { config, send, logger, now }: FleetOptions,
): BackendFleet {
  let configured = first;
  let search: Promise<void> | undefined;
  const pods = createKubernetesEndpoints(() => config().discovery.kubernetes, {
    logger,
    random: Math.random,
    onChange: () => void resolve(),
  });
  const resolver = createResolver(logger, { dns: lookUpInDns, kubernetes: pods.lookUp });
  const pool = createPool(first, {
    settings: () => {
      const { circuit, server, limits } = config();
      const maxInFlight = server.maxConcurrency === 0 ? Infinity : server.maxConcurrency;
      return { circuit, maxInFlight, maxCooldownMs: limits.maxCooldownMs };
    },
    now,
    random: Math.random,
  });
  const prober = createProber({
    pool,
    discover: createDiscover(send),
    timeout: () => AbortSignal.timeout(config().probes.timeoutMs),
    downAfter: () => config().probes.downAfter,
    logger,
  });

  async function resolve(): Promise<void> {
    const given = configured;
    const found = await resolver.resolve(given);
    // A reload in the meantime has its own.
    if (given !== configured) return;
    pool.configure(found);
    const watched = given.filter(({ discovery }) => discovery === 'kubernetes');
    pods.keepOnly(new Set(watched.map(({ url }) => new URL(url).hostname)));
  }

  async function discover(): Promise<void> {
    await resolve();
    await prober.probeAll();
  }

  return {
    pool,
    prober,
    resolve,
    discover,
    async adopt(found) {
      const adopted = found.then((given) => {
        // A reload may have brought backends in the meantime.
        if (config().backends.length === 0) configured = given;
        return discover();
      });
      search = adopted.catch(() => undefined);
      await adopted.finally(() => (search = undefined));
    },
    search: () => search,
    async prepare(given) {
      const found = await resolver.resolve(given);
      return () => {
        configured = given;
        pool.configure(found);
        void prober.probeAll();
      };
    },
    close: pods.close,
  };
}
