/** The connection to Redis or Valkey, opened when it is first needed and kept open from then on. */

import type { Redis } from 'ioredis';

export interface RedisOptions {
  /** `redis://` or `rediss://`, with user and password where it needs them. */
  readonly url: string;
  /** It answers, for the first time or again. */
  readonly isBack: () => void;
}

export interface RedisConnection {
  /** Resolves when the first attempt has come to its end, whatever that was. Commands reject when there is no connection. */
  client(): Promise<Redis>;
  close(): void;
}

const CONNECT_MS = 2000;
/** Of one command. Who waits longer has an answer of memory by then. */
const COMMAND_MS = 500;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

export function createRedis({ url, isBack }: RedisOptions): RedisConnection {
  let opening: Promise<Redis> | undefined;
  let isClosed = false;

  async function open(): Promise<Redis> {
    const { Redis } = await import('ioredis');
    const redis = new Redis(url, {
      lazyConnect: true,
      // Who asks while there is no connection is to hear that at once.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      // It may have been done before the connection broke: twice would be once too often.
      autoResendUnfulfilledCommands: false,
      connectTimeout: CONNECT_MS,
      commandTimeout: COMMAND_MS,
      retryStrategy: (times) => Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times, 10)),
    });
    // Every command tells for itself that there is no connection.
    redis.on('error', () => undefined);
    redis.on('ready', isBack);
    if (isClosed) return redis;
    await redis.connect().catch(() => undefined);
    return redis;
  }

  return {
    client: () => (opening ??= open()),
    close() {
      isClosed = true;
      void opening?.then((redis) => {
        redis.disconnect();
      });
    },
  };
}
