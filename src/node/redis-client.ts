/** The client of Redis and Valkey, ioredis. Loaded when a server is configured. */

import { Redis } from 'ioredis';

const CONNECT_MS = 2000;
/** Of one command. Who needs its answer sooner has a limit of its own. */
const COMMAND_MS = 5000;
/** For the last commands to leave. */
const CLOSE_MS = 200;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;

/** Not connected yet. */
export function createClient(url: string): Redis {
  return new Redis(url, {
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
}
