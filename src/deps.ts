/** The composition root: constructs IO, with the files beside it for the backends, keys, limits and the ledger. */

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { AppDeps } from './app.ts';
import { createBackendFleet, type BackendFleet } from './backend-fleet.ts';
import { kinds } from './backends/index.ts';
import type { Config } from './config/load.ts';
import type { ActiveExchange, Logger, Meter, Now } from './core/exchange.ts';
import type { Backend } from './core/fleet.ts';
import { RENEW_MS } from './core/limits.ts';
import { createUntraced } from './gateway/untraced.ts';
import { createGeneration, type Lasting } from './generation.ts';
import { createRetryBudget } from './gateway/retry-budget.ts';
import { createWatch, type Watch } from './gateway/watch.ts';
import type { Phase } from './http/draining.ts';
import { adminKeyring, clientKeyring } from './keyrings.ts';
import { createLedgerOf } from './ledger.ts';
import { createLimits } from './limits.ts';
import { createAgents } from './node/agents.ts';
import { alone, joinWorkers } from './node/cluster-questions.ts';
import { isWorker } from './node/cluster.ts';
import { createDescribe } from './node/describe.ts';
import { createImageFetcher } from './node/images/index.ts';
import { createSlots } from './node/images/slots.ts';
import { createLogger } from './node/logger.ts';
import { createMetrics, type Metrics } from './node/metrics.ts';
import { createSender } from './node/send.ts';
import { createTimers } from './node/timers.ts';
import { createTokenDecoder } from './node/tokens.ts';
import type { Tracing } from './node/tracing/index.ts';
import { createOperator } from './operator.ts';

/** How exactly limits on silence are kept. */
const WATCH_TICK_MS = 250;

export interface Deps extends Omit<AppDeps, 'reload'>, Pick<BackendFleet, 'prober' | 'discover' | 'adopt'> {
  /** Of the program. */
  readonly version: string;
  readonly meter: Metrics & Meter;
  readonly watch: Watch;
  /** The exchanges going on. */
  readonly active: () => Iterable<ActiveExchange>;
  /** When it resolves, the configuration and its backends hold for requests that begin. */
  apply(config: Config, backends: readonly Backend[]): Promise<void>;
  /** What holds now. */
  config(): Config;
  /** Resolves when this process does what all were told to do; to be awaited before it serves. */
  join(): Promise<void>;
  /** Begins to probe and to watch. */
  start(): void;
  enter(phase: Phase): void;
  /** Some backend holds a lease. */
  isBusy(): boolean;
  /** Ends timers and idle connections; resolves when what was counted is kept, and the last traces are sent. */
  close(): Promise<void>;
}

/** What there is already, and what a test puts in the place of the real thing. */
export interface DepsOverrides {
  readonly now?: Now;
  /** Milliseconds since 1970, for days and months. */
  readonly wallClock?: () => number;
  readonly logger?: Logger;
  /** Without it nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/**
 * `backends`: those of the configuration; what is found instead is adopted later. `root`: the folder of
 * package.json and openapi.yaml.
 */
export function createDeps(
  first: Config,
  backends: readonly Backend[],
  root: URL,
  overrides: DepsOverrides = {},
): Deps {
  const { now = (): number => performance.now(), wallClock = Date.now } = overrides;
  // 32 hex digits: OpenAI takes call ids of 40 characters at most, prefix included.
  const newId = (): string => randomUUID().replaceAll('-', '');
  const logger = overrides.logger ?? createLogger(first.log);
  const { tracing } = overrides;
  const { askAll, join } = isWorker ? joinWorkers(logger) : alone;
  const version = versionOf(root);
  const { send, close: closeSender } = createSender();
  const downloads = createSlots(() => config.images.maxDownloads);
  const active = new Set<ActiveExchange>();
  const timers = createTimers();
  let phase: Phase = 'serving';
  let config = first;

  const watch = createWatch(now, () => config.server.stalledReaderMs);
  const retryBudget = createRetryBudget(() => config.limits.retryBudget, now);
  const { pool, prober, resolve, ...fleet } = createBackendFleet(backends, {
    config: () => config,
    send,
    logger,
    now,
  });
  const describe = createDescribe(send, () => AbortSignal.timeout(config.probes.timeoutMs), now);
  const limitsOfClients = createLimits({
    config: () => config,
    logger,
    now,
    wallClock,
    newId,
    limited: (sort) => metrics.limited(sort),
  });
  const metrics = createMetrics({
    status: pool.status,
    active: () => active,
    keys: () => config.auth.keys.map(({ client }) => client),
    isDraining: () => phase !== 'serving',
    isLimitStoreUp: limitsOfClients.isStoreUp,
    askAll,
    version,
  });
  const ledger = createLedgerOf(() => config, askAll, logger);

  const timeout = (ms: number): AbortSignal => AbortSignal.timeout(ms);
  const shared = { pool, kinds, send, watch, now, timeout };
  const lasting: Lasting = {
    ...shared,
    describe,
    active,
    retryBudget,
    decodeTokens: createTokenDecoder(),
    newId,
    wallClock,
    startedAt: Math.floor(Date.now() / 1000),
    admission: limitsOfClients.admission,
    imagesOf: ({ images }) => createImageFetcher({ ...images, downloads }),
    keyringOf: ({ auth }) => clientKeyring(auth),
    adminKeyringOf: ({ auth }) => adminKeyring(auth),
  };
  let generation = createGeneration(first, lasting);
  const operator = createOperator({
    ...shared,
    catalog: () => generation.catalog,
    config: () => config,
    active: () => active,
    streamTotals: metrics.streamTotals,
    probe: prober.probeAll,
    report: ledger?.report,
    wallClock: Date.now,
    askAll,
  });

  return {
    version,
    current: () => generation,
    pool,
    kinds,
    watch,
    prober,
    discover: fleet.discover,
    adopt: fleet.adopt,
    search: fleet.search,
    agentOf: createAgents(),
    active: () => active,
    track(exchange) {
      active.add(exchange);
      return () => active.delete(exchange);
    },
    operator,
    logger,
    meter: {
      ...metrics,
      exchange(record) {
        metrics.exchange(record);
        ledger?.count(record);
      },
      passed: (record) => ledger?.count(record),
    },
    tracer: tracing?.tracer ?? createUntraced(first.tracing.propagate),
    metrics: first.metrics.enabled ? { path: first.metrics.path, render: metrics.render } : undefined,
    now,
    newId,
    status: pool.status,
    phase: () => phase,
    readOpenapi: () => readFile(new URL('openapi.yaml', root), 'utf8'),

    join,
    config: () => config,
    async apply(next, given) {
      const takeOver = await fleet.prepare(given);
      config = next;
      takeOver();
      generation = createGeneration(next, lasting);
    },
    start() {
      timers.tick(WATCH_TICK_MS, watch.tick);
      timers.every(() => config.probes.intervalMs, prober.probeAll);
      timers.every(() => config.discovery.intervalMs, resolve);
      timers.every(() => RENEW_MS, limitsOfClients.admission.renew);
      if (!ledger) return;
      timers.every(() => config.usage.flushMs, ledger.flush);
      // At once, for its folder: one that cannot be used is told of at the start.
      void ledger.flush();
    },
    isBusy: () => pool.inFlight() > 0,
    enter(next) {
      phase = next;
    },
    async close() {
      timers.stop();
      limitsOfClients.close();
      fleet.close();
      closeSender();
      await Promise.all([ledger?.flush(), tracing?.close()]);
    },
  };
}

export function versionOf(root: URL): string {
  return (JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }).version;
}
