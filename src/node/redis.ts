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
  /** Resolves when the first attempt to connect is over. Commands reject while there is no connection. */
  client(): Promise<Redis>;
  close(): void;
}

export function createRedis({ url, opened, lost }: RedisOptions): RedisConnection {
  let opening: Promise<Redis> | undefined;
  let isClosed = false;

  async function open(): Promise<Redis> {
    const { createClient } = await import('./redis-client.ts');
    const redis = createClient(url);
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
