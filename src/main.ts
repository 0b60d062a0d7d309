#!/usr/bin/env node
/** Entry: loads the configuration and runs one server, or forks workers. The only process.exit. */

import { existsSync, readFileSync } from 'node:fs';
import { configDotenv } from 'dotenv';
import { createApp } from './app.ts';
import { ConfigError, CONFIG_EXIT_CODE } from './config/fault.ts';
import { loadConfig, toBackend, type Config } from './config/load.ts';
import type { Backend, BackendAddress } from './core/fleet.ts';
import { createDeps, type Deps } from './deps.ts';
import { isWorker, obeyPrimary, runPrimary } from './node/cluster.ts';
import { detectBackends, LOCAL_CANDIDATES } from './node/detect.ts';
import { createDiscover } from './node/discover.ts';
import { createLogger } from './node/logger.ts';
import { createSender } from './node/send.ts';
import { createServer, type GatewayServer } from './node/server.ts';
import { renderStartupScreen } from './startup-screen.ts';

/** The folder of package.json, in the repository and when installed. */
const ROOT = findRoot(new URL('./', import.meta.url));

interface Fleet {
  readonly backends: readonly Backend[];
  readonly isDemo: boolean;
}

/** What a worker is told by the primary, in its environment. */
const FOUND_VARIABLE = 'GATEWAY_FOUND_BACKENDS';
const ANNOUNCE_VARIABLE = 'GATEWAY_ANNOUNCE';

async function main(): Promise<void> {
  configDotenv({ quiet: true });
  const config = loadConfig({
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    exists: existsSync,
  });
  if (isWorker) await serve(config, fleetOf(config, process.env[FOUND_VARIABLE]));
  else if (config.server.workers > 1) await serveWithWorkers(config);
  else await serve(config, await findFleet(config));
}

async function serve(config: Config, fleet: Fleet): Promise<void> {
  const deps = createDeps(config, fleet.backends, new URL('openapi.yaml', ROOT));
  // A forgotten promise of one request is no reason to cut the streams of all others.
  process.on('unhandledRejection', (error) => {
    deps.logger.error('unhandled rejection', { error });
  });
  const server = createServer(createApp(deps), deps.dispatch.active, deps.isBusy);
  if (isWorker) obeyPrimary(() => void drain(config, deps, server));
  else stopOnSignal(config, deps, server);
  deps.start();
  const port = await server.listen(config.server.port, config.server.host);
  await deps.prober.probeAll();
  if (!isWorker || process.env[ANNOUNCE_VARIABLE]) announce(config, deps, fleet, port);
}

/** What was found is found once, and told to the workers; each has its share of every limit. */
async function serveWithWorkers(config: Config): Promise<void> {
  const { backends, isDemo } = await findFleet(config);
  const found = backends.map(({ name, kind, url }): BackendAddress => ({ name, kind, url }));
  const code = await runPrimary({
    workers: config.server.workers,
    logger: createLogger(config.log),
    env: (isFirst) => ({
      ...(config.backends.length === 0 && { [FOUND_VARIABLE]: JSON.stringify({ found, isDemo }) }),
      ...(isFirst && { [ANNOUNCE_VARIABLE]: '1' }),
    }),
  });
  process.exit(code);
}

function fleetOf({ backends, limits, server }: Config, told: string | undefined): Fleet {
  const share = (backend: Backend): Backend => ({
    ...backend,
    maxConcurrency: Math.ceil(backend.maxConcurrency / server.workers),
    queue: Math.ceil(backend.queue / server.workers),
  });
  if (told === undefined) return { backends: backends.map(share), isDemo: false };
  const { found, isDemo } = JSON.parse(told) as { found: BackendAddress[]; isDemo: boolean };
  return { backends: found.map((address) => toBackend(address, limits.timeouts)), isDemo };
}

/** The configured backends; else what answers on this machine; else the demo, but not in production. */
async function findFleet({ backends, isProduction, limits }: Config): Promise<Fleet> {
  if (backends.length > 0) return { backends, isDemo: false };
  const sender = createSender();
  const candidates = LOCAL_CANDIDATES.map((candidate) => toBackend(candidate, limits.timeouts));
  const found = await detectBackends(candidates, createDiscover(sender.send));
  sender.close();
  if (found.length > 0) return { backends: found, isDemo: false };
  if (isProduction) {
    throw new ConfigError([
      {
        where: 'backends',
        message:
          'none is configured and none answers on this machine. Set OLLAMA_BASE_URL, VLLM_BASE_URL or ' +
          'OPENAI_BASE_URL, or list backends in gateway.yaml.',
      },
    ]);
  }
  const { startDemoBackend } = await import('./node/demo/server.ts');
  const { url } = await startDemoBackend();
  return { backends: [toBackend({ name: 'demo', kind: 'ollama', url }, limits.timeouts)], isDemo: true };
}

/** The first signal drains, a second one ends at once. Also right as PID 1, where none has a default. */
function stopOnSignal(config: Config, deps: Deps, server: GatewayServer): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    deps.logger.info('draining', { signal, timeoutMs: config.server.drainTimeoutMs });
    void drain(config, deps, server);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function drain(config: Config, deps: Deps, server: GatewayServer): Promise<void> {
  if (deps.isDraining()) return;
  deps.startDraining();
  await server.drain(config.server.drainTimeoutMs);
  deps.close();
  deps.logger.info('stopped');
  process.exit(0);
}

function announce(config: Config, deps: Deps, { isDemo }: Fleet, port: number): void {
  const { host } = config.server;
  const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { version: string };
  if (config.log.format === 'json') {
    deps.logger.info('listening', { version, host, port });
    return;
  }
  const isEverywhere = host === '0.0.0.0' || host === '::' || host.startsWith('127.');
  const screen = renderStartupScreen({
    version,
    origin: `http://${isEverywhere ? 'localhost' : host}:${String(port)}`,
    isDemo,
    hasKey: config.auth.key !== undefined || config.auth.keys.length > 0,
    backends: deps.status(),
    models: deps.catalog.list(),
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
    return 'its port is in use. Stop the other program, or set PORT to a free one.';
  }
  if ('code' in error && error.code === 'EACCES') {
    return 'it may not listen on that port. Set PORT to one above 1023.';
  }
  return error.stack ?? error.message;
}
