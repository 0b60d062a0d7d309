/** The whole gateway in the test's process, on a port of its own. */

import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { loadConfig, type Config } from '../../src/config/load.ts';
import type { Limits, ModelLimits } from '../../src/core/client.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Logger } from '../../src/core/exchange.ts';
import { createDeps, type Deps } from '../../src/deps.ts';
import type { ReloadResult } from '../../src/http/admin/reload.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';
import { createReload } from '../../src/reload.ts';
import { openTracing } from '../../src/node/tracing/index.ts';
import { createServers } from '../../src/servers.ts';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: JsonObject;
}

export interface TestGateway {
  /** `http://127.0.0.1:<port>`, or `https://…` with a certificate */
  readonly url: string;
  /** The same, unless the operator has a port of his own. */
  readonly adminUrl: string;
  readonly port: number;
  readonly deps: Deps;
  readonly logs: readonly LogLine[];
  /** Exchanges going on. */
  active(): number;
  /** Moves the gateway's clock on and lets it look at its limits. Only with `isClockStopped`. */
  advance(ms: number): void;
  /** The value of a metric with exactly these labels; 0 when it was never set. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** Puts this text in the place of gateway.yaml, or of another file; nobody is told. */
  rewrite(text: string, path?: string): void;
  /** As SIGHUP does. */
  reload(): Promise<ReloadResult>;
  /** Lets exchanges end for so long, as after a signal. */
  drain(timeoutMs: number): Promise<void>;
  /** POST /v1/chat/completions with a plain question, unless `body` says otherwise. */
  chat(body?: JsonObject, init?: RequestInit): Promise<Response>;
  /** Spans that have ended are at their receiver. */
  flushTraces(): Promise<void>;
  close(): Promise<void>;
}

/** What `auth.clients` says of one. */
export interface HolderSettings {
  readonly limits?: Partial<Limits>;
  readonly modelLimits?: readonly (Partial<ModelLimits> & { readonly models: string })[];
  readonly priority?: number;
}

export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The text of gateway.yaml. */
  readonly file?: string;
  /** Other files that settings name, by path; an absolute path that is not among them is one of the disk. */
  readonly files?: Readonly<Record<string, string>>;
  /** Time stands still but for advance(), and nothing probes by itself. */
  readonly isClockStopped?: boolean;
  /** Keys of the configuration by the names of their holders; `keyOf` tells each. */
  readonly clients?: Readonly<Record<string, HolderSettings>>;
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number;
}

/** Nothing is written to the disk unless a test asks for it. */
const DEFAULTS = { NODE_ENV: 'test', PORT: '0', HOST: '127.0.0.1', USAGE_ENABLED: 'false' };
const ROOT = new URL('../../', import.meta.url);

export async function startGateway({
  env = {},
  file = '',
  files = {},
  isClockStopped = false,
  clients,
  wallClock = Date.now,
}: GatewayOptions): Promise<TestGateway> {
  const texts = new Map(Object.entries({ ...files, 'gateway.yaml': `${authOf(clients)}${file}` }));
  const load = (): Config =>
    loadConfig({
      hashKey,
      tlsChecks,
      env: { ...DEFAULTS, ...env, GATEWAY_CONFIG: 'gateway.yaml' },
      readFile: (path) => {
        const text = texts.get(path);
        if (text === undefined && isAbsolute(path)) return readFileSync(path, 'utf8');
        if (text === undefined) throw new Error(`no file ${path}`);
        return text;
      },
      exists: () => true,
    });
  const config = load();
  const logs: LogLine[] = [];
  let nowMs = 1000;
  const logger = recordingLogger(logs);
  const about = { version: '0.0.0-test', instanceId: 'test', logger };
  const tracing = await openTracing(config.tracing, about);
  const deps = createDeps(config, config.backends, ROOT, {
    logger,
    tracing,
    wallClock,
    ...(isClockStopped && { now: () => nowMs }),
  });
  const reload = createReload({
    first: config,
    load,
    async apply(next) {
      servers.secure(next.server.tls);
      await deps.apply(next, next.backends);
    },
    logger: deps.logger,
    reloaded: deps.meter.reloaded,
  });
  const servers = createServers({ ...deps, reload }, config);
  const { port, adminPort = port } = await servers.listen();
  await deps.discover();
  if (!isClockStopped) deps.start();
  const scheme = config.server.tls ? 'https' : 'http';
  const url = `${scheme}://127.0.0.1:${String(port)}`;
  return {
    url,
    adminUrl: `${scheme}://127.0.0.1:${String(adminPort)}`,
    port,
    deps,
    logs,
    active: () => [...deps.active()].length,
    rewrite(text, path = 'gateway.yaml') {
      texts.set(path, text);
    },
    reload,
    drain: servers.drain,
    flushTraces: async () => tracing?.flush(),
    advance(ms) {
      nowMs += ms;
      deps.watch.tick();
    },
    async metric(name, labels = {}) {
      const text = await (await fetch(`${url}/metrics`)).text();
      return sampleOf(text, name, labels);
    },
    chat: (body = {}, init = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
        ...init,
      }),
    async close() {
      await servers.drain(0);
      await deps.close();
    },
  };
}

/** The key of one of `clients`. */
export function keyOf(name: string): string {
  return `key-of-${name}-for-this-test`;
}

/** JSON is YAML, too. */
function authOf(clients: GatewayOptions['clients']): string {
  if (!clients) return '';
  const holders = Object.entries(clients).map(([name, holder]) => ({ name, key: keyOf(name), ...holder }));
  return `auth: ${JSON.stringify({ clients: holders })}\n`;
}

function recordingLogger(lines: LogLine[]): Logger {
  const at =
    (level: string): Logger['info'] =>
    (message, fields = {}) => {
      lines.push({ level, message, fields });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function sampleOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  for (const line of text.split('\n')) {
    const [, metric, given = '', value] = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const parts = given === '' ? [] : given.split(',');
    if (metric === name && parts.length === wanted.length && wanted.every((part) => parts.includes(part))) {
      return Number(value);
    }
  }
  return 0;
}
