/** What requests that begin under a configuration live by, made anew with each reload. */

import type { Config } from './config/load.ts';
import { mayUse } from './admission/models.ts';
import type { Admission, Keyring } from './core/client.ts';
import type { FetchImage, Helpers, SurfaceContext } from './core/operation.ts';
import { createDispatch, type DispatchDeps } from './gateway/dispatch.ts';
import type { Generation } from './http/generation.ts';
import { createCatalog } from './routing/catalog.ts';

/** What outlives reloads. */
export interface Lasting
  extends
    Pick<
      DispatchDeps,
      'pool' | 'kinds' | 'send' | 'describe' | 'watch' | 'now' | 'active' | 'retryBudget' | 'timeout'
    >,
    Pick<SurfaceContext, 'newId' | 'wallClock'>,
    Pick<Helpers, 'decodeTokens'> {
  readonly admission: Admission;
  /** Unix seconds. */
  readonly startedAt: number;
  /** What fetches the images of one request. */
  readonly imagesOf: (config: Config) => () => FetchImage;
  readonly keyringOf: (config: Config) => Keyring;
  readonly adminKeyringOf: (config: Config) => Keyring | undefined;
}

export function createGeneration(config: Config, lasting: Lasting): Generation {
  const { limits, streams, server, aliases } = config;
  const { pool, startedAt, decodeTokens, newId, wallClock } = lasting;
  const fetchImages = lasting.imagesOf(config);
  const catalog = createCatalog({ mayUse, aliases, status: pool.status, startedAt });
  return {
    catalog,
    dispatch: createDispatch({
      ...lasting,
      catalog,
      helpers: () => ({ fetchImage: fetchImages(), decodeTokens }),
      queueTimeoutMs: limits.queueTimeoutMs,
      heartbeat: { commitAfterMs: streams.commitAfterMs, everyMs: streams.heartbeatMs },
      maxAttempts: limits.maxAttempts,
    }),
    keyring: lasting.keyringOf(config),
    admission: lasting.admission,
    adminKeyring: lasting.adminKeyringOf(config),
    surfaces: {
      wallClock,
      newId,
      reasoningKeys: streams.reasoningKeys,
      isRescueOn: streams.rescue,
      limits,
    },
    isStrict: config.strict,
    bodyLimitBytes: server.bodyLimitBytes,
    queueTimeoutMs: limits.queueTimeoutMs,
    passthrough: config.passthrough,
    cors: server.cors,
  };
}
