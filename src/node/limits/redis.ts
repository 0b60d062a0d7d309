/** Limits in Redis or Valkey: one script for each call, so that all who ask it see the same. */

import type { Redis } from 'ioredis';
import {
  LEASE_MS,
  undoing,
  type HeldLease,
  type RemoteStore,
  type Settling,
  type Verdict,
  type Wish,
} from '../../core/limits.ts';
import { inTime } from './in-time.ts';
import { RENEW, SETTLE, TAKE } from './scripts.ts';

/** Who waits longer gets an answer of memory. */
const ANSWER_MS = 500;
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

  function answer<T>(command: Promise<T>, late?: (answer: T) => void): Promise<T> {
    return inTime(command, ANSWER_MS, 'Redis', late);
  }

  const keyOf = (key: string): string => `${prefix}{limits}:${key}`;

  function settle(redis: ScriptedRedis, { id, corrections, slots }: Settling): Promise<unknown> {
    const keys = [...corrections.map(({ key }) => key), ...slots].map(keyOf);
    return redis.settleLimits(
      keys.length,
      ...keys,
      corrections.length,
      id,
      ...corrections.flatMap(({ amount, window, windowMs }) => [amount, window, windowMs]),
    );
  }

  /** Somebody else has answered meanwhile. */
  function giveBack(redis: ScriptedRedis, wish: Wish, verdict: Verdict): void {
    if (verdict.isTaken) settle(redis, undoing(wish, verdict)).catch(() => undefined);
  }

  return {
    async take(wish) {
      const redis = await open();
      const { id, charges, slots } = wish;
      const keys = [...charges, ...slots].map(({ key }) => keyOf(key));
      const command = redis.takeLimits(
        keys.length,
        ...keys,
        charges.length,
        id,
        LEASE_MS,
        ...charges.flatMap(({ amount, limit, windowMs }) => [amount, limit, windowMs]),
        ...slots.map(({ limit }) => limit),
      );
      return toVerdict(wish, await answer(command, (late) => giveBack(redis, wish, toVerdict(wish, late))));
    },

    async settle(settling) {
      await answer(settle(await open(), settling));
    },

    async renew(leases) {
      const redis = await open();
      const commands = [];
      for (let i = 0; i < leases.length; i += RENEWED_AT_ONCE) {
        const some: readonly HeldLease[] = leases.slice(i, i + RENEWED_AT_ONCE);
        const keys = some.map(({ key }) => keyOf(key));
        commands.push(redis.renewLimits(keys.length, ...keys, LEASE_MS, ...some.map(({ id }) => id)));
      }
      await answer(Promise.all(commands));
    },

    async check() {
      await answer((await open()).ping());
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
