/** Admission as a request meets it: with no limit, and with limits in memory, at the primary, in Redis. */

import { createLimited, type LimitedAdmission } from '../../src/admission/limited.ts';
import { ANONYMOUS, NO_LIMITS, type Client, type Limits, type Settlement } from '../../src/core/client.ts';
import type { LimitStore } from '../../src/core/limits.ts';
import { answerLimitRequests, createClusterStore, primaryChannel } from '../../src/node/limits/cluster.ts';
import { createMemoryStore } from '../../src/node/limits/memory.ts';
import { createRedisStore } from '../../src/node/limits/redis.ts';
import { createRedis } from '../../src/node/redis.ts';

/** Admits and settles one request. */
export type Way = () => Promise<void>;

const MUCH = 1_000_000_000;
const EVERY: Limits = {
  requestsPerMinute: MUCH,
  tokensPerMinute: MUCH,
  concurrency: 1_000_000,
  tokensPerDay: MUCH,
  tokensPerMonth: MUCH,
};
const REQUESTS: Limits = { ...NO_LIMITS, requestsPerMinute: MUCH };
const DEMAND = { model: 'm', estimateTokens: () => ({ prompt: 100, answer: 256 }) };
const DONE: Settlement = {
  error: undefined,
  usage: { prompt: 90, completion: 120, cached: 0, reasoning: 0 },
  seenTokens: 120,
};

/** For the primary of the process that measures. */
export function answerWorkers(): void {
  answerLimitRequests(createMemoryStore(() => performance.now()));
}

/** To be called in a worker. */
export function waysOf(redisUrl: string | undefined): { ways: Record<string, Way>; close: () => void } {
  const memory = createMemoryStore(() => performance.now());
  const ignore = (): undefined => undefined;
  const redis =
    redisUrl === undefined ? undefined : createRedis({ url: redisUrl, opened: ignore, lost: ignore });
  return {
    ways: {
      'no limit': wayOf(memory, NO_LIMITS, NO_LIMITS),
      'memory: requests of the key': wayOf(memory, REQUESTS, NO_LIMITS),
      'memory: all five, of the key and of the gateway': wayOf(memory, EVERY, EVERY),
      'the primary: all five, of the key and of the gateway': wayOf(
        createClusterStore(primaryChannel()),
        EVERY,
        EVERY,
      ),
      ...(redis && {
        'Redis on this machine: all five, of the key and of the gateway': wayOf(
          createRedisStore(redis.client, 'bench:'),
          EVERY,
          EVERY,
        ),
      }),
    },
    close: () => redis?.close(),
  };
}

function wayOf(store: LimitStore, limits: Limits, quota: Limits): Way {
  const client: Client = { ...ANONYMOUS, keyId: 'bench', limits };
  let ids = 0;
  const admission: LimitedAdmission = createLimited({
    store,
    quota: () => quota,
    wallClock: Date.now,
    newId: () => String(ids++),
    refused: () => {
      throw new Error('the limits of a benchmark are large enough');
    },
  });
  return async () => {
    const admitted = admission.admit(client, DEMAND);
    if (admitted) (await admitted).settle(DONE);
  };
}
