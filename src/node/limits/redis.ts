/** Limits in Redis or Valkey: one script for each call, so that all who ask it see the same. */

import type { Redis } from 'ioredis';
import { LEASE_MS, type HeldLease, type RemoteStore, type Verdict, type Wish } from '../../core/limits.ts';
import { RENEW, SETTLE, TAKE } from './scripts.ts';

/** Of leases in one command. */
const RENEWED_AT_ONCE = 500;

type Script = (keys: number, ...keysAndArguments: (string | number)[]) => Promise<number[]>;

interface ScriptedRedis extends Redis {
  takeLimits: Script;
  settleLimits: Script;
  renewLimits: Script;
}

/** `prefix`: of all keys. They share one slot of a cluster, which a script asks for. */
export function createRedisStore(connection: () => Promise<Redis>, prefix: string): RemoteStore {
  let scripted: ScriptedRedis | undefined;

  async function open(): Promise<ScriptedRedis> {
    if (scripted) return scripted;
    const redis = (await connection()) as ScriptedRedis;
    redis.defineCommand('takeLimits', { lua: TAKE });
    redis.defineCommand('settleLimits', { lua: SETTLE });
    redis.defineCommand('renewLimits', { lua: RENEW });
    scripted = redis;
    return redis;
  }

  const keyOf = (key: string): string => `${prefix}{limits}:${key}`;

  return {
    async take(wish) {
      const redis = await open();
      const { id, charges, slots } = wish;
      const keys = [...charges, ...slots].map(({ key }) => keyOf(key));
      const answer = await redis.takeLimits(
        keys.length,
        ...keys,
        charges.length,
        id,
        LEASE_MS,
        ...charges.flatMap(({ amount, limit, windowMs }) => [amount, limit, windowMs]),
        ...slots.map(({ limit }) => limit),
      );
      return toVerdict(wish, answer);
    },

    async settle({ id, corrections, slots }) {
      const redis = await open();
      const keys = [...corrections.map(({ key }) => key), ...slots].map(keyOf);
      await redis.settleLimits(
        keys.length,
        ...keys,
        corrections.length,
        id,
        ...corrections.flatMap(({ amount, window, windowMs }) => [amount, window, windowMs]),
      );
    },

    async renew(leases) {
      const redis = await open();
      const commands = [];
      for (let i = 0; i < leases.length; i += RENEWED_AT_ONCE) {
        const some: readonly HeldLease[] = leases.slice(i, i + RENEWED_AT_ONCE);
        const keys = some.map(({ key }) => keyOf(key));
        commands.push(redis.renewLimits(keys.length, ...keys, LEASE_MS, ...some.map(({ id }) => id)));
      }
      await Promise.all(commands);
    },

    async check() {
      await (await open()).ping();
    },
  };
}

function toVerdict({ charges, slots }: Wish, [isTaken, ...numbers]: readonly number[]): Verdict {
  const levels = charges.map((_, i) => {
    const [used = 0, resetMs = 0, window = 0] = numbers.slice(3 * i);
    return { used, resetMs, window };
  });
  const held = slots.map((_, i) => numbers[3 * charges.length + i] ?? 0);
  return { isTaken: isTaken === 1, levels, held };
}
