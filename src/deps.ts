/** The composition root: the only file that constructs IO. */

import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createKeyring } from './admission/keyring.ts';
import type { AppDeps } from './app.ts';
import { kinds } from './backends/index.ts';
import type { Config } from './config/load.ts';
import type { Keyring, Logger, Now } from './core/exchange.ts';
import type { Backend } from './core/fleet.ts';
import { createDispatch } from './gateway/dispatch.ts';
import { createWatch } from './gateway/watch.ts';
import { createDiscover } from './node/discover.ts';
import { createImageFetcher } from './node/images/index.ts';
import { createLogger } from './node/logger.ts';
import { createMetrics } from './node/metrics.ts';
import { createSender } from './node/send.ts';
import { createTokenDecoder } from './node/tokens.ts';
import { createCatalog } from './routing/catalog.ts';
import { createPool } from './routing/pool.ts';
import { createProber, type Prober } from './routing/probe.ts';

/** How exactly limits on silence are kept. */
const WATCH_TICK_MS = 250;

export interface Deps extends AppDeps {
  readonly prober: Prober;
  /** Begins to probe and to watch. */
  start(): void;
  /** From now on the gateway is not ready. */
  startDraining(): void;
  /** Some backend holds a lease. */
  isBusy(): boolean;
  /** Ends timers and idle connections. */
  close(): void;
}

/** What a test may put in the place of the real thing. */
export interface DepsOverrides {
  readonly now?: Now;
  readonly logger?: Logger;
}

/** `backends`: those of the configuration, or what was found instead. */
export function createDeps(
  config: Config,
  backends: readonly Backend[],
  openapiPath: URL,
  overrides: DepsOverrides = {},
): Deps {
  const now = overrides.now ?? ((): number => performance.now());
  // 32 hex digits: OpenAI takes call ids of 40 characters at most, prefix included.
  const newId = (): string => randomUUID().replaceAll('-', '');
  const logger = overrides.logger ?? createLogger(config.log);
  const { send, close: closeSender } = createSender();
  const watch = createWatch(now);
  const pool = createPool(backends, { now, random: Math.random });
  const catalog = createCatalog({
    aliases: config.aliases,
    status: pool.status,
    startedAt: Math.floor(Date.now() / 1000),
  });
  const dispatch = createDispatch({
    catalog,
    pool,
    kinds,
    send,
    watch,
    now,
    helpers: { fetchImage: createImageFetcher(config.images), decodeTokens: createTokenDecoder() },
    queueTimeout: () => AbortSignal.timeout(config.limits.queueTimeoutMs),
    heartbeat: { commitAfterMs: config.streams.commitAfterMs, everyMs: config.streams.heartbeatMs },
    maxAttempts: config.limits.maxAttempts,
  });
  const metrics = createMetrics({ status: pool.status, active: dispatch.active });
  const prober = createProber({
    backends,
    pool,
    discover: createDiscover(send),
    timeout: () => AbortSignal.timeout(config.probes.timeoutMs),
    logger,
  });
  let isDraining = false;
  const timers: NodeJS.Timeout[] = [];

  return {
    catalog,
    pool,
    kinds,
    dispatch,
    keyring: createKeyring(apiKeys(config), sha256),
    adminKeyring: adminKeyring(config),
    streamTotals: metrics.streamTotals,
    logger,
    meter: metrics,
    metrics: config.metrics.enabled ? { path: config.metrics.path, render: metrics.render } : undefined,
    now,
    newId,
    status: pool.status,
    isDraining: () => isDraining,
    readOpenapi: () => readFile(openapiPath, 'utf8'),
    bodyLimitBytes: config.server.bodyLimitBytes,
    surfaces: {
      wallClock: Date.now,
      newId,
      reasoningKeys: config.streams.reasoningKeys,
      limits: config.limits,
    },
    isStrict: config.strict,
    corsOrigins: config.server.corsOrigins,
    prober,
    watch,
    start() {
      timers.push(setInterval(watch.tick, WATCH_TICK_MS));
      timers.push(setInterval(() => void prober.probeAll(), config.probes.intervalMs));
    },
    isBusy: () => pool.status().some(({ inFlight }) => inFlight > 0),
    startDraining() {
      isDraining = true;
    },
    close() {
      timers.forEach(clearInterval);
      closeSender();
    },
  };
}

function apiKeys({ auth }: Config): { name: string; sha256: string }[] {
  const keys = [...(auth.key === undefined ? [] : [auth.key]), ...auth.keys];
  return keys.map((key, i) => ({ name: i === 0 ? 'default' : `key-${String(i + 1)}`, sha256: sha256(key) }));
}

function adminKeyring({ auth }: Config): Keyring | undefined {
  const { adminKey } = auth;
  return adminKey === undefined
    ? undefined
    : createKeyring([{ name: 'admin', sha256: sha256(adminKey) }], sha256);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
