/** Builds what admits by limits, and the place where they are counted: Redis, the primary, or memory. */

import { createInsuredStore, type InsuredStore } from './admission/insured.ts';
import { createLimited, type LimitedAdmission } from './admission/limited.ts';
import type { Config } from './config/load.ts';
import { GatewayError } from './core/errors.ts';
import type { Logger, Now } from './core/exchange.ts';
import type { RemoteStore } from './core/limits.ts';
import { isWorker } from './node/cluster.ts';
import { createClusterStore, primaryChannel } from './node/limits/cluster.ts';
import { createMemoryStore } from './node/limits/memory.ts';
import { createRedisStore } from './node/limits/redis.ts';
import { createRedis } from './node/redis.ts';

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
  const { url, prefix } = config().redis;
  const memory = createMemoryStore(now);
  let insured: InsuredStore | undefined;
  let close = (): void => undefined;

  if (url !== undefined) {
    const redis = createRedis({
      url,
      opened: () => insured?.recheck(),
      lost: (cause) => insured?.lose(cause),
    });
    insured = insure(createRedisStore(redis.client, prefix), 'Redis');
    close = redis.close;
    // Not in the way of the start, and not first when somebody waits for it.
    void redis.client();
  } else if (isWorker) {
    insured = insure(createClusterStore(primaryChannel()), 'the primary');
  }

  function insure(remote: RemoteStore, name: string): InsuredStore {
    return createInsuredStore({
      remote,
      insurance: memory,
      isFailClosed: () => config().redis.failClosed,
      now,
      changed(isUp, cause) {
        tell(isUp, name, cause);
        // It is to know of all that has begun meanwhile, and it may have forgotten the rest.
        if (isUp) void admission.renew();
      },
    });
  }

  function tell(isUp: boolean, name: string, cause: unknown): void {
    if (isUp) {
      options.logger.info('limits are shared again', { store: name });
      return;
    }
    const message = config().redis.failClosed
      ? 'Clients with limits are refused until it is back.'
      : 'This process counts for itself until it is back.';
    options.logger.warn('limits are not shared', {
      store: name,
      error: new GatewayError('limits_unavailable', { message, cause }),
    });
  }

  const admission = createLimited({
    store: insured ?? memory,
    quota: () => config().quota,
    wallClock,
    newId,
    refused: options.limited,
  });
  return {
    admission,
    isStoreUp: url === undefined ? undefined : () => insured?.isUp ?? false,
    close: () => close(),
  };
}
