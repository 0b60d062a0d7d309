/** The composition root: constructs IO, the ledger's in the file beside it. */

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createKeyring } from './admission/keyring.ts';
import type { AppDeps } from './app.ts';
import { kinds } from './backends/index.ts';
import type { Auth } from './config/keys.ts';
import type { Config } from './config/load.ts';
import type { ApiKey } from './core/api-key.ts';
import type { Keyring } from './core/client.ts';
import type { ActiveExchange, Logger, Meter, Now } from './core/exchange.ts';
import type { Backend } from './core/fleet.ts';
import { RENEW_MS } from './core/limits.ts';
import { createUntraced } from './gateway/untraced.ts';
import { createGeneration, type Lasting } from './generation.ts';
import { createRetryBudget } from './gateway/retry-budget.ts';
import { createWatch, type Watch } from './gateway/watch.ts';
import type { Phase } from './http/draining.ts';
import { createLedgerOf } from './ledger.ts';
import { createLimits } from './limits.ts';
import { createAgents } from './node/agents.ts';
import { alone, joinWorkers } from './node/cluster-questions.ts';
import { isWorker } from './node/cluster.ts';
import { createDescribe } from './node/describe.ts';
import { createDiscover } from './node/discover.ts';
import { hashKey } from './node/hash-key.ts';
import { createImageFetcher } from './node/images/index.ts';
import { createSlots } from './node/images/slots.ts';
import { createLogger } from './node/logger.ts';
import { createMetrics, type Metrics } from './node/metrics.ts';
import { createKubernetesEndpoints } from './node/kubernetes/endpoints.ts';
import { createResolver, lookUpInDns } from './node/resolve.ts';
import { createSender } from './node/send.ts';
import { createTimers } from './node/timers.ts';
import { createTokenDecoder } from './node/tokens.ts';
import type { Tracing } from './node/tracing/index.ts';
import { createOperator } from './operator.ts';
import { createPool } from './routing/pool.ts';
import { createProber, type Prober } from './routing/probe.ts';

/** How exactly limits on silence are kept. */
const WATCH_TICK_MS = 250;

export interface Deps extends Omit<AppDeps, 'reload'> {
  /** Of the program. */
  readonly version: string;
  readonly meter: Metrics & Meter;
  readonly watch: Watch;
  /** The exchanges going on. */
  readonly active: () => Iterable<ActiveExchange>;
  readonly prober: Prober;
  /** Looks up the addresses of backends, then probes all; the first one makes the gateway ready. */
  discover(): Promise<void>;
  /**
   * Serves with what is found in place of a configuration. Resolves when all of it was probed, and
   * rejects as the search does.
   */
  adopt(search: Promise<readonly Backend[]>): Promise<void>;
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
  const pods = createKubernetesEndpoints(() => config.discovery.kubernetes, {
    logger,
    random: Math.random,
    onChange: () => void resolve(),
  });
  const resolver = createResolver(logger, { dns: lookUpInDns, kubernetes: pods.lookUp });
  const downloads = createSlots(() => config.images.maxDownloads);
  const active = new Set<ActiveExchange>();
  const timers = createTimers();
  let phase: Phase = 'serving';
  let config = first;
  let configured = backends;
  let search: Promise<void> | undefined;

  const watch = createWatch(now, () => config.server.stalledReaderMs);
  const retryBudget = createRetryBudget(() => config.limits.retryBudget, now);
  const pool = createPool(backends, {
    settings: () => ({
      circuit: config.circuit,
      maxInFlight: config.server.maxConcurrency === 0 ? Infinity : config.server.maxConcurrency,
      maxCooldownMs: config.limits.maxCooldownMs,
    }),
    now,
    random: Math.random,
  });
  const prober = createProber({
    pool,
    discover: createDiscover(send),
    timeout: () => AbortSignal.timeout(config.probes.timeoutMs),
    downAfter: () => config.probes.downAfter,
    logger,
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
    keyringOf: ({ auth }) => keyringOf(auth.keys, auth.hashSecret, auth.isOpen),
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

  async function resolve(): Promise<void> {
    const given = configured;
    const found = await resolver.resolve(given);
    // A reload in the meantime has its own.
    if (given !== configured) return;
    pool.configure(found);
    const watched = given.filter(({ discovery }) => discovery === 'kubernetes');
    pods.keepOnly(new Set(watched.map(({ url }) => new URL(url).hostname)));
  }

  async function discover(): Promise<void> {
    await resolve();
    await prober.probeAll();
  }

  return {
    version,
    current: () => generation,
    pool,
    kinds,
    watch,
    prober,
    discover,
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
    search: () => search,
    readOpenapi: () => readFile(new URL('openapi.yaml', root), 'utf8'),

    join,
    config: () => config,
    async adopt(found) {
      const adopted = found.then((given) => {
        // A reload may have brought backends in the meantime.
        if (config.backends.length === 0) configured = given;
        return discover();
      });
      search = adopted.catch(() => undefined);
      await adopted.finally(() => (search = undefined));
    },
    async apply(next, given) {
      const found = await resolver.resolve(given);
      config = next;
      configured = given;
      pool.configure(found);
      generation = createGeneration(next, lasting);
      void prober.probeAll();
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
      pods.close();
      closeSender();
      await Promise.all([ledger?.flush(), tracing?.close()]);
    },
  };
}

export function versionOf(root: URL): string {
  return (JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }).version;
}

/** Keys of clients may be those of operators as well; without any of an operator there are no endpoints for one. */
function adminKeyring({ adminKey, keys, hashSecret }: Auth): Keyring | undefined {
  const own = adminKey === undefined ? [] : [adminKey];
  const all = [...own, ...keys.filter(({ client, isRevoked }) => client.isAdmin && !isRevoked)];
  return all.length === 0 ? undefined : keyringOf(all, hashSecret, false);
}

function keyringOf(keys: readonly ApiKey[], hashSecret: string | undefined, isOpen: boolean): Keyring {
  const plain = (key: string): string => hashKey(key);
  const hashes = hashSecret === undefined ? [plain] : [(key: string) => hashKey(key, hashSecret), plain];
  return createKeyring({ keys, isOpen, hashes, wallClock: Date.now });
}
