/** The server: loads the configuration and runs one, or forks workers. The only process.exit. */

import { randomUUID } from 'node:crypto';
import { existsSync, openSync, closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ConfigError, CONFIG_EXIT_CODE } from './config/fault.ts';
import { isLoopback, type Config } from './config/load.ts';
import { createConfigFiles, type ConfigFiles } from './config-files.ts';
import { ANONYMOUS } from './core/client.ts';
import { createDeps, versionOf, type Deps } from './deps.ts';
import { findFleet, printFleet, readFleet, type Fleet } from './find-fleet.ts';
import type { Reload } from './http/admin/reload.ts';
import { askForNews, openNews, reportNews } from './node/cluster-news.ts';
import { isWorker, obeyPrimary, runPrimary, tellOthersToReload } from './node/cluster.ts';
import { answerLimitRequests } from './node/limits/cluster.ts';
import { createMemoryStore } from './node/limits/memory.ts';
import { createLogger } from './node/logger.ts';
import { openTracing } from './node/tracing/index.ts';
import { watchFiles, type FileWatch } from './node/watch-files.ts';
import { createReload } from './reload.ts';
import { countPorts, createServers, type Ports, type Servers } from './servers.ts';
import { shareConfig, workersOf, type Share } from './shares.ts';
import { originOf, renderStartupScreen } from './startup-screen.ts';

/** The folder of package.json, in the repository and when installed. */
const ROOT = findRoot(new URL('./', import.meta.url));

/** What a worker is told by the primary, in its environment. */
const ANNOUNCE_VARIABLE = 'GATEWAY_ANNOUNCE';
const SHARE_VARIABLE = 'GATEWAY_SHARE';

async function main(): Promise<void> {
  if (isWorker) return serveAsWorker();
  const files = createConfigFiles(process.env);
  const config = files.load();
  const workers = workersOf(config, availableParallelism());
  return workers > 1 ? serveWithWorkers(config, files, workers) : serve(files, config, findFleet);
}

/** Begins with the files and backends that hold for all, and not with what may be there by now. */
async function serveAsWorker(): Promise<void> {
  const files = createConfigFiles(process.env, await askForNews('files'));
  const share = JSON.parse(process.env[SHARE_VARIABLE] ?? '') as Share;
  const shared: ConfigFiles = { ...files, load: () => shareConfig(files.load(), share) };
  await serve(
    shared,
    shared.load(),
    async (config) => readFleet(await askForNews('backends'), config),
    share,
  );
}

/** `find`: where nothing is configured. The port is open, and health is told, before it has ended. */
async function serve(
  files: ConfigFiles,
  config: Config,
  find: (config: Config) => Promise<Fleet>,
  share?: Share,
): Promise<void> {
  const logger = createLogger(config.log);
  const about = { version: versionOf(ROOT), instanceId: randomUUID(), logger };
  const tracing = await openTracing(config.tracing, about);
  const deps = createDeps(config, config.backends, ROOT, { logger, tracing });
  let fleet: Fleet = { backends: config.backends, isDemo: false };
  // A forgotten promise of one request is no reason to cut the streams of all others.
  process.on('unhandledRejection', (error) => {
    deps.logger.error('unhandled rejection', { error });
  });
  const reloadOnce = createReload({
    first: config,
    load: files.load,
    async apply(next) {
      servers.secure(next.server.tls);
      await deps.apply(next, next.backends.length > 0 ? next.backends : fleet.backends);
      if (share) reportNews('files', files.print());
    },
    logger: deps.logger,
    reloaded: deps.meter.reloaded,
    tellsFaults: !share || share.index === 0,
  });
  let watch: FileWatch | undefined;
  const reload: Reload = async () => {
    const result = await reloadOnce();
    watch?.look();
    return result;
  };
  const servers = createServers(
    {
      ...deps,
      reload() {
        tellOthersToReload();
        return reload();
      },
    },
    config,
  );
  const drain = createDrain(deps, servers);
  if (isWorker) obeyPrimary({ drain, reload: () => void reload() });
  else obeySignals(deps, drain, () => void reload());
  if (config.server.watchConfig) watch = watchFiles(files.contents, () => void reload());
  deps.start();
  await deps.join();
  const ports = await servers.listen();
  if (config.backends.length > 0) {
    await deps.discover();
  } else {
    const search = find(config);
    await deps.adopt(search.then(({ backends }) => backends));
    fleet = await search;
  }
  const isAnnounced = !isWorker || process.env[ANNOUNCE_VARIABLE] !== undefined;
  if (isAnnounced && deps.phase() === 'serving') announce(config, deps, fleet, ports);
}

/** What was found is found once, and told to the workers; each has its share of every limit. */
async function serveWithWorkers(config: Config, files: ConfigFiles, workers: number): Promise<void> {
  const publish = openNews();
  publish('files', files.print());
  answerLimitRequests(createMemoryStore(() => performance.now()));
  const ended = runPrimary({
    workers,
    ports: countPorts(config),
    logger: createLogger(config.log),
    env: (index, isFirst) => ({
      [SHARE_VARIABLE]: JSON.stringify({ index, workers } satisfies Share),
      ...(isFirst && { [ANNOUNCE_VARIABLE]: '1' }),
    }),
  });
  if (config.backends.length === 0) publish('backends', printFleet(await findFleet(config)));
  process.exit(await ended);
}

/** The first signal drains, a second one ends at once. Also right as PID 1, where none has a default. */
function obeySignals(deps: Deps, drain: () => void, reload: () => void): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    const { drainDelayMs: delayMs, drainTimeoutMs: timeoutMs } = deps.config().server;
    deps.logger.info('draining', { signal, delayMs, timeoutMs });
    drain();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', (signal) => {
    if (isTerminalGone()) stop(signal);
    else reload();
  });
}

function createDrain(deps: Deps, servers: Servers): () => void {
  async function drain(): Promise<void> {
    const { drainDelayMs, drainTimeoutMs } = deps.config().server;
    if (drainDelayMs > 0) {
      deps.enter('leaving');
      await new Promise((resolve) => setTimeout(resolve, drainDelayMs));
    }
    deps.enter('draining');
    await servers.drain(drainTimeoutMs);
    await deps.close();
    deps.logger.info('stopped');
    process.exit(0);
  }
  return () => {
    if (deps.phase() === 'serving') void drain();
  };
}

/** A window that was closed says SIGHUP as well as an operator who wants a reload. */
function isTerminalGone(): boolean {
  if (!process.stdin.isTTY) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}

function announce(config: Config, deps: Deps, { isDemo }: Fleet, { port, adminPort }: Ports): void {
  const { host, adminHost, tls } = config.server;
  const { version } = deps;
  if (config.log.format === 'json') {
    const admin = adminPort === undefined ? {} : { adminHost, adminPort };
    deps.logger.info('listening', { version, host, port, isEncrypted: tls !== undefined, ...admin });
    return;
  }
  const scheme = tls ? 'https' : 'http';
  const screen = renderStartupScreen({
    version,
    origin: originOf(scheme, host, port),
    adminOrigin: adminPort === undefined ? undefined : originOf(scheme, adminHost, adminPort),
    needsCertificate: tls?.clientCa !== undefined,
    isLocal: isLoopback(host),
    isDemo,
    auth: config.auth,
    aliases: config.aliases,
    backends: deps.status(),
    models: deps.current().catalog.list(ANONYMOUS),
  });
  process.stdout.write(`${screen}\n`);
}

main().catch((error: unknown) => {
  const text =
    error instanceof ConfigError ? error.message : `The gateway could not start: ${explain(error)}`;
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof ConfigError ? CONFIG_EXIT_CODE : 1);
});

function findRoot(folder: URL): URL {
  const parent = new URL('../', folder);
  return existsSync(new URL('package.json', folder)) || parent.href === folder.href
    ? folder
    : findRoot(parent);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `${portOf(error)} is in use. Stop the other program, or set PORT (or ADMIN_PORT) to a free one.`;
  }
  if ('code' in error && error.code === 'EACCES') {
    return `it may not listen on ${portOf(error)}. Set PORT (or ADMIN_PORT) to one above 1023.`;
  }
  return error.stack ?? error.message;
}

function portOf(error: object): string {
  return 'port' in error && typeof error.port === 'number' ? `port ${String(error.port)}` : 'its port';
}
