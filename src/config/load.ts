/** Environment and file → one frozen Config, or one error that lists every fault. */

import type { HashKey } from '../core/api-key.ts';
import { isJsonObject } from '../core/json.ts';
import type { Alias, Backend, BackendAddress, KindName } from '../core/fleet.ts';
import type { ServerTls, TlsChecks } from '../core/tls.ts';
import { describeConfig, type ConfigDescription } from './describe.ts';
import { readEnv, type Env, type EnvSettings, type ReadFile } from './env.ts';
import { ConfigError } from './fault.ts';
import { createLocator, crossFaults, toFaults, type Locate } from './faults.ts';
import { readConfigFile, type ConfigFile } from './file.ts';
import { readKeys, type Auth } from './keys.ts';
import { configSchema, DEFAULT_TIMEOUTS, type Settings } from './schema.ts';
import { auth as authSchema } from './schema/auth.ts';
import { readTls, type Tls } from './tls.ts';

export interface Config extends Omit<Settings, 'server' | 'auth' | 'log' | 'backends' | 'models'> {
  readonly server: Omit<Settings['server'], 'tls'> & {
    readonly host: string;
    /** undefined: plain HTTP. */
    readonly tls: ServerTls | undefined;
  };
  readonly auth: Auth;
  readonly log: { readonly level: Settings['log']['level']; readonly format: 'json' | 'pretty' };
  readonly isProduction: boolean;
  readonly backends: readonly Backend[];
  readonly aliases: readonly Alias[];
  /** What the operator may see of it. */
  readonly description: ConfigDescription;
}

export interface ConfigSources {
  readonly env: Env;
  readonly readFile: ReadFile;
  readonly exists: (path: string) => boolean;
  readonly hashKey: HashKey;
  readonly tlsChecks: TlsChecks;
}

/** Used when it exists and `GATEWAY_CONFIG` does not name another. */
export const DEFAULT_CONFIG_FILE = 'gateway.yaml';

/** Throws ConfigError. */
export function loadConfig({ env, readFile, exists, hashKey, tlsChecks }: ConfigSources): Config {
  const fromEnv = readEnv(env, readFile);
  const file = openFile(env, readFile, exists);
  const raw = merge(file.values, fromEnv);
  const locate = createLocator(file, fromEnv, raw);
  const result = configSchema.safeParse(raw, { reportInput: true });
  const settings = authSchema.safeParse(isJsonObject(raw) ? raw.auth : undefined);
  const keys = settings.success ? readKeys(settings.data, { readFile, hashKey, locate }) : undefined;
  const tls = readTls(raw, { readFile, checks: tlsChecks, locate });
  const known = [...fromEnv.faults, ...file.faults];
  const places = new Set(known.map(({ where }) => where));
  const found = [
    ...(result.error?.issues ?? []).flatMap((issue) => toFaults(issue, locate)),
    ...crossFaults(raw, locate),
    ...(keys?.faults ?? []),
    ...tls.faults,
  ];
  // What a value without its variable is complained of follows from that.
  const faults = [...known, ...found.filter(({ where }) => !places.has(where))];
  if (faults.length > 0 || !result.success || !keys) throw new ConfigError(faults);
  const config = {
    ...toConfig(result.data, keys.auth, tls, env),
    description: describeConfig(result.data, raw, locate),
  };
  checkExposure(config, locate);
  checkWorkers(config, locate);
  checkPorts(config, locate);
  return deepFreeze(config);
}

export function openFile(env: Env, readFile: ReadFile, exists: ConfigSources['exists']): ConfigFile {
  const given = env.GATEWAY_CONFIG ?? '';
  const name = given === '' ? DEFAULT_CONFIG_FILE : given;
  if (given === '' && !exists(name)) return readConfigFile('', name, env);
  try {
    return readConfigFile(readFile(name), name, env);
  } catch {
    const fault = { where: 'environment GATEWAY_CONFIG', message: `cannot read the file '${name}'.` };
    return { ...readConfigFile('', name, env), faults: [fault] };
  }
}

/** The environment wins over the file. */
export function merge(fileValues: unknown, { values, backends, defaultModel }: EnvSettings): unknown {
  if (!isJsonObject(fileValues)) return fileValues;
  const raw = structuredClone(fileValues) as Record<string, unknown>;
  for (const [path, value] of values) setAt(raw, path.split('.'), value);
  if (backends.length > 0 && (raw.backends === undefined || Array.isArray(raw.backends))) {
    const replaced = new Set(backends.map(({ name }) => name));
    const own: unknown[] = raw.backends ?? [];
    raw.backends = [
      ...own.filter((item) => !(isJsonObject(item) && replaced.has(String(item.name)))),
      ...backends,
    ];
  }
  if (defaultModel !== undefined && (raw.models === undefined || isJsonObject(raw.models))) {
    raw.models = { ...raw.models, default: { targets: [{ model: defaultModel }] } };
  }
  return raw;
}

function setAt(
  target: Record<string, unknown>,
  [head = '', ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) {
    target[head] = value;
  } else {
    // What is no map in the file stays, for the schema to complain about.
    if (target[head] !== undefined && target[head] !== null && !isJsonObject(target[head])) return;
    target[head] = { ...target[head] };
    setAt(target[head] as Record<string, unknown>, rest, value);
  }
}

function toConfig(settings: Settings, auth: Auth, tls: Tls, env: Env): Omit<Config, 'description'> {
  const { server, log, backends, models, ...rest } = settings;
  const isProduction = env.NODE_ENV === 'production';
  return {
    ...rest,
    auth,
    isProduction,
    server: { ...server, tls: tls.server, host: server.host ?? (auth.isOpen ? '127.0.0.1' : '0.0.0.0') },
    log: { level: log.level, format: log.format ?? (isProduction ? 'json' : 'pretty') },
    backends: backends.map((backend, i) => ({
      ...toBackend(backend, settings.limits),
      tls: tls.backends[i],
    })),
    aliases: Object.entries(models).map(
      ([name, { targets, type, options, requestOptions, completionTemplate }]) => ({
        name,
        targets: targets ?? [{ model: name }],
        type,
        options,
        requestOptions,
        completionTemplate,
      }),
    ),
  };
}

type PartialTimeouts = Settings['limits']['timeouts'];

/** A backend with all its defaults, also for one that was found and not configured. */
export function toBackend(
  settings: BackendAddress & Partial<Omit<Settings['backends'][number], 'tls'>>,
  limits: Pick<Settings['limits'], 'timeouts' | 'maxConcurrency' | 'queue'>,
): Backend {
  const { name, kind, url, apiKey, weight = 1, discovery = 'none', headers = {} } = settings;
  const { maxConcurrency = limits.maxConcurrency, queue = limits.queue } = settings;
  return {
    name,
    group: name,
    kind,
    url: baseUrl(url, kind),
    apiKey,
    headers,
    weight,
    maxConcurrency: maxConcurrency === 0 ? Infinity : maxConcurrency,
    queue,
    discovery,
    timeouts: { ...DEFAULT_TIMEOUTS, ...defined(limits.timeouts), ...defined(settings.timeouts ?? {}) },
  };
}

/** People give the base with or without the version path: Ollama's is above it, the others' below. */
function baseUrl(text: string, kind: KindName): string {
  const url = new URL(text);
  const path = url.pathname.replace(/\/+$/, '');
  const base = kind === 'ollama' ? path.replace(/\/(v1|api)$/, '') : path === '' ? '/v1' : path;
  return `${url.origin}${base}`;
}

function defined(timeouts: PartialTimeouts): Partial<Backend['timeouts']> {
  return Object.fromEntries(Object.entries(timeouts).filter(([, value]) => value !== undefined));
}

/** Others than this machine reach it at `host`, and nobody asks them for a key. */
export function isExposed({ server, auth }: Config, host: string): boolean {
  return auth.isOpen && !server.allowAnonymous && !isLoopback(host);
}

function checkExposure(config: Config, locate: Locate): void {
  const { host } = config.server;
  if (!isExposed(config, host)) return;
  throw new ConfigError([
    {
      where: locate(['server', 'host']),
      message:
        `server.host: '${host}' can be reached by others and no key is set, so everybody could use the ` +
        'backends. Set AUTH_KEY (32 characters or more), or ALLOW_ANONYMOUS=true if that is meant.',
    },
  ]);
}

/** Each worker has its share of every limit, and a share of less than one is none. */
function checkWorkers({ server: { workers, maxConcurrency }, backends }: Config, locate: Locate): void {
  const smallest = Math.min(maxConcurrency || Infinity, ...backends.map((each) => each.maxConcurrency));
  if (workers === 'auto' || workers <= smallest) return;
  throw new ConfigError([
    {
      where: locate(['server', 'workers']),
      message:
        `server.workers: ${String(workers)} workers cannot share a maxConcurrency of ${String(smallest)}. ` +
        `Set at most ${String(smallest)}, or a higher limit.`,
    },
  ]);
}

function checkPorts({ server: { port, adminPort } }: Pick<Config, 'server'>, locate: Locate): void {
  if (adminPort !== port || port === 0) return;
  throw new ConfigError([
    {
      where: locate(['server', 'adminPort']),
      message: `server.adminPort: ${String(port)} is the port of clients. Set another one, or none.`,
    },
  ]);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(Object.freeze(value)).forEach(deepFreeze);
  }
  return value;
}
