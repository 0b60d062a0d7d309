/** Builds what admits by limits, and the place where they are counted: Redis, the primary, or memory. */

import { createInsuredStore } from './admission/insured.ts';
import { createLimited, type LimitedAdmission } from './admission/limited.ts';
import type { Config } from './config/load.ts';
import { GatewayError } from './core/errors.ts';
import type { Logger, Now } from './core/exchange.ts';
import type { RemoteStore } from './core/limits.ts';
import { isWorker } from './node/cluster.ts';
import { createClusterStore, primaryChannel } from './node/limits/cluster.ts';
import { createMemoryStore } from './node/limits/memory.ts';
import { createRedisStore } from './node/limits/redis.ts';
import { createRedis, type RedisOptions } from './node/redis.ts';

export interface LimitsOptions {
  readonly config: () => Config;
  readonly logger: Logger;
  readonly now: Now;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly newId: () => string;
  readonly limited: (sort: string) => void;
}

export interface LimitsOfClients {
  readonly admission: LimitedAdmission;
  /** Redis answers; undefined where there is none to ask. */
  readonly isStoreUp: (() => boolean) | undefined;
  close(): void;
}

export function createLimits(options: LimitsOptions): LimitsOfClients {
  const { config, now, wallClock, newId } = options;
  const memory = createMemoryStore(now);
  const remote = openRemote(config(), {
    opened: () => insured?.recheck(),
    lost: (cause) => insured?.lose(cause),
  });
  const insured =
    remote &&
    createInsuredStore({
      remote: remote.store,
      insurance: memory,
      isFailClosed: () => config().redis.failClosed,
      now,
      changed(isUp, cause) {
        tell(options, remote.name, isUp, cause);
        // It is to know of all that has begun meanwhile, and it may have forgotten the rest.
        if (isUp) void admission.renew();
      },
    });
  const admission = createLimited({
    store: insured ?? memory,
    quota: () => config().quota,
    wallClock,
    newId,
    refused: options.limited,
  });
  return {
    admission,
    isStoreUp: insured && remote.isRedis ? () => insured.isUp : undefined,
    close: () => remote?.close(),
  };
}

interface Remote {
  readonly name: string;
  readonly isRedis: boolean;
  readonly store: RemoteStore;
  close(): void;
}

/** Who else counts: Redis, or the primary of several workers; undefined where nobody else does. */
function openRemote({ redis }: Config, events: Omit<RedisOptions, 'url'>): Remote | undefined {
  if (redis.url !== undefined) {
    const { client, close } = createRedis({ url: redis.url, ...events });
    // Not in the way of the start, and not first when somebody waits for it.
    client().catch(events.lost);
    return { name: 'Redis', isRedis: true, store: createRedisStore(client, redis.prefix), close };
  }
  if (!isWorker) return undefined;
  const store = createClusterStore(primaryChannel());
  return { name: 'the primary', isRedis: false, store, close: () => undefined };
}

function tell({ config, logger }: LimitsOptions, store: string, isUp: boolean, cause: unknown): void {
  if (isUp) {
    logger.info('limits are shared again', { store });
    return;
  }
  const message = config().redis.failClosed
    ? 'Clients with limits are refused until it is back.'
    : 'This process counts for itself until it is back.';
  const error = new GatewayError('limits_unavailable', { message, cause });
  logger.warn('limits are not shared', { store, error });
}
