/** The connection to Redis or Valkey, opened when it is first needed and kept open from then on. */

import type { Redis } from 'ioredis';

export interface RedisOptions {
  /** `redis://` or `rediss://`, with user and password where it needs them. */
  readonly url: string;
  /** It answers, for the first time or again. */
  readonly opened: () => void;
  /** There is no connection to it, or none any more. */
  readonly lost: (cause: unknown) => void;
}

export interface RedisConnection {
  /** Resolves when the first attempt has come to its end, whatever that was. Commands reject when there is no connection. */
  client(): Promise<Redis>;
  close(): void;
}

const CONNECT_MS = 2000;
/** Of one command. Who needs its answer sooner has a limit of its own. */
const COMMAND_MS = 5000;
/** For the last commands to leave. */
const CLOSE_MS = 200;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

export function createRedis({ url, opened, lost }: RedisOptions): RedisConnection {
  let opening: Promise<Redis> | undefined;
  let isClosed = false;

  async function open(): Promise<Redis> {
    const { Redis } = (await import('ioredis')).default;
    const redis = new Redis(url, {
      lazyConnect: true,
      // Who asks while there is no connection is to hear that at once.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      // It may have been done before the connection broke: twice would be once too often.
      autoResendUnfulfilledCommands: false,
      connectTimeout: CONNECT_MS,
      commandTimeout: COMMAND_MS,
      disconnectTimeout: CLOSE_MS,
      retryStrategy: (times) => Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times, 10)),
    });
    let cause: unknown = new Error('the connection was closed');
    redis.on('error', (error) => {
      cause = error;
    });
    redis.on('close', () => {
      if (!isClosed) lost(cause);
    });
    redis.on('ready', opened);
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
