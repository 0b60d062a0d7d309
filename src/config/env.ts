/** Environment variables → settings, in the shape of the configuration file. */

import type { Fault } from './fault.ts';

export type Env = Readonly<Record<string, string | undefined>>;
/** Reads a text file; throws when there is none. */
export type ReadFile = (path: string) => string;

/** How the text of a variable is read. */
type Form = 'text' | 'number' | 'boolean' | 'list' | 'pairs';

interface Variable {
  readonly name: string;
  /** The setting that it replaces. */
  readonly path: string;
  readonly form: Form;
}

/** Each can also be given as `NAME_FILE`, the path of a file that holds the value. */
export const VARIABLES: readonly Variable[] = [
  { name: 'HOST', path: 'server.host', form: 'text' },
  { name: 'PORT', path: 'server.port', form: 'number' },
  { name: 'ADMIN_PORT', path: 'server.adminPort', form: 'number' },
  { name: 'ADMIN_HOST', path: 'server.adminHost', form: 'text' },
  { name: 'TLS_CERT_FILE', path: 'server.tls.certFile', form: 'text' },
  { name: 'TLS_KEY_FILE', path: 'server.tls.keyFile', form: 'text' },
  { name: 'TLS_KEY_PASSPHRASE', path: 'server.tls.keyPassphrase', form: 'text' },
  { name: 'TLS_CLIENT_CA_FILE', path: 'server.tls.clientCaFile', form: 'text' },
  { name: 'WORKERS', path: 'server.workers', form: 'number' },
  { name: 'BODY_LIMIT', path: 'server.bodyLimitBytes', form: 'number' },
  { name: 'CORS_ORIGINS', path: 'server.cors.origins', form: 'list' },
  { name: 'CORS_MAX_AGE_MS', path: 'server.cors.maxAgeMs', form: 'number' },
  { name: 'MAX_CONCURRENCY', path: 'server.maxConcurrency', form: 'number' },
  { name: 'MAX_CONNECTIONS', path: 'server.maxConnections', form: 'number' },
  { name: 'MAX_HEADER_BYTES', path: 'server.maxHeaderBytes', form: 'number' },
  { name: 'HEADERS_TIMEOUT_MS', path: 'server.headersTimeoutMs', form: 'number' },
  { name: 'REQUEST_TIMEOUT_MS', path: 'server.requestTimeoutMs', form: 'number' },
  { name: 'KEEP_ALIVE_TIMEOUT_MS', path: 'server.keepAliveTimeoutMs', form: 'number' },
  { name: 'STALLED_READER_MS', path: 'server.stalledReaderMs', form: 'number' },
  { name: 'ALLOW_ANONYMOUS', path: 'server.allowAnonymous', form: 'boolean' },
  { name: 'DRAIN_DELAY', path: 'server.drainDelayMs', form: 'number' },
  { name: 'DRAIN_TIMEOUT', path: 'server.drainTimeoutMs', form: 'number' },
  { name: 'WATCH_CONFIG', path: 'server.watchConfig', form: 'boolean' },
  { name: 'AUTH_KEY', path: 'auth.key', form: 'text' },
  { name: 'API_KEYS', path: 'auth.keys', form: 'list' },
  { name: 'ADMIN_KEY', path: 'auth.adminKey', form: 'text' },
  { name: 'KEY_FILE', path: 'auth.keyFile', form: 'text' },
  { name: 'KEY_HASH_SECRET', path: 'auth.hashSecret', form: 'text' },
  { name: 'KEY_REQUESTS_PER_MINUTE', path: 'auth.limits.requestsPerMinute', form: 'number' },
  { name: 'KEY_TOKENS_PER_MINUTE', path: 'auth.limits.tokensPerMinute', form: 'number' },
  { name: 'KEY_CONCURRENCY', path: 'auth.limits.concurrency', form: 'number' },
  { name: 'KEY_TOKENS_PER_DAY', path: 'auth.limits.tokensPerDay', form: 'number' },
  { name: 'KEY_TOKENS_PER_MONTH', path: 'auth.limits.tokensPerMonth', form: 'number' },
  { name: 'QUOTA_REQUESTS_PER_MINUTE', path: 'quota.requestsPerMinute', form: 'number' },
  { name: 'QUOTA_TOKENS_PER_MINUTE', path: 'quota.tokensPerMinute', form: 'number' },
  { name: 'QUOTA_CONCURRENCY', path: 'quota.concurrency', form: 'number' },
  { name: 'QUOTA_TOKENS_PER_DAY', path: 'quota.tokensPerDay', form: 'number' },
  { name: 'QUOTA_TOKENS_PER_MONTH', path: 'quota.tokensPerMonth', form: 'number' },
  { name: 'REDIS_URL', path: 'redis.url', form: 'text' },
  { name: 'REDIS_PREFIX', path: 'redis.prefix', form: 'text' },
  { name: 'REDIS_FAIL_CLOSED', path: 'redis.failClosed', form: 'boolean' },
  { name: 'LOG_LEVEL', path: 'log.level', form: 'text' },
  { name: 'LOG_FORMAT', path: 'log.format', form: 'text' },
  { name: 'ENABLE_METRICS', path: 'metrics.enabled', form: 'boolean' },
  { name: 'METRICS_PATH', path: 'metrics.path', form: 'text' },
  { name: 'USAGE_ENABLED', path: 'usage.enabled', form: 'boolean' },
  { name: 'USAGE_DIR', path: 'usage.folder', form: 'text' },
  { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', path: 'tracing.endpoint', form: 'text' },
  { name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', path: 'tracing.tracesEndpoint', form: 'text' },
  { name: 'OTEL_SDK_DISABLED', path: 'tracing.disabled', form: 'boolean' },
  { name: 'OTEL_EXPORTER_OTLP_PROTOCOL', path: 'tracing.protocol', form: 'text' },
  { name: 'OTEL_EXPORTER_OTLP_HEADERS', path: 'tracing.headers', form: 'pairs' },
  { name: 'OTEL_EXPORTER_OTLP_TIMEOUT', path: 'tracing.timeoutMs', form: 'number' },
  { name: 'OTEL_SERVICE_NAME', path: 'tracing.serviceName', form: 'text' },
  { name: 'OTEL_RESOURCE_ATTRIBUTES', path: 'tracing.resource', form: 'pairs' },
  { name: 'OTEL_TRACES_SAMPLER', path: 'tracing.sampler', form: 'text' },
  { name: 'OTEL_TRACES_SAMPLER_ARG', path: 'tracing.sampleRatio', form: 'number' },
  { name: 'PROPAGATE_TRACES', path: 'tracing.propagate', form: 'boolean' },
  {
    name: 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT',
    path: 'tracing.messageContent',
    form: 'boolean',
  },
  { name: 'HEARTBEAT_MS', path: 'streams.heartbeatMs', form: 'number' },
  { name: 'COMMIT_AFTER_MS', path: 'streams.commitAfterMs', form: 'number' },
  { name: 'STREAM_RESCUE', path: 'streams.rescue', form: 'boolean' },
  { name: 'REASONING_KEYS', path: 'streams.reasoningKeys', form: 'text' },
  { name: 'CONNECT_TIMEOUT_MS', path: 'limits.timeouts.connectMs', form: 'number' },
  { name: 'FIRST_TOKEN_TIMEOUT_MS', path: 'limits.timeouts.firstTokenMs', form: 'number' },
  { name: 'IDLE_TIMEOUT_MS', path: 'limits.timeouts.idleMs', form: 'number' },
  { name: 'TOTAL_TIMEOUT_MS', path: 'limits.timeouts.totalMs', form: 'number' },
  { name: 'STRICT', path: 'strict', form: 'boolean' },
  { name: 'IMAGE_URLS', path: 'images.enabled', form: 'boolean' },
  { name: 'IMAGE_ALLOW_HOSTS', path: 'images.allowHosts', form: 'list' },
  { name: 'PASSTHROUGH_BACKEND', path: 'passthrough.backend', form: 'text' },
  { name: 'BACKEND_CONCURRENCY', path: 'limits.maxConcurrency', form: 'number' },
  { name: 'QUEUE_SIZE', path: 'limits.queue', form: 'number' },
  { name: 'QUEUE_TIMEOUT_MS', path: 'limits.queueTimeoutMs', form: 'number' },
  { name: 'MAX_CHOICES', path: 'limits.maxChoices', form: 'number' },
  { name: 'MAX_ATTEMPTS', path: 'limits.maxAttempts', form: 'number' },
  { name: 'RETRY_BUDGET_RATIO', path: 'limits.retryBudget.ratio', form: 'number' },
  { name: 'RETRY_BUDGET_MIN_PER_SECOND', path: 'limits.retryBudget.minPerSecond', form: 'number' },
  { name: 'MAX_COOLDOWN_MS', path: 'limits.maxCooldownMs', form: 'number' },
  { name: 'CIRCUIT_FAILURES', path: 'circuit.failures', form: 'number' },
  { name: 'CIRCUIT_FAILURE_SHARE', path: 'circuit.failureShare', form: 'number' },
  { name: 'CIRCUIT_MIN_REQUESTS', path: 'circuit.minRequests', form: 'number' },
  { name: 'CIRCUIT_WINDOW_MS', path: 'circuit.windowMs', form: 'number' },
  { name: 'CIRCUIT_OPEN_MS', path: 'circuit.openMs', form: 'number' },
  { name: 'CIRCUIT_RAMP_MS', path: 'circuit.rampMs', form: 'number' },
  { name: 'PROBE_INTERVAL_MS', path: 'probes.intervalMs', form: 'number' },
  { name: 'PROBE_TIMEOUT_MS', path: 'probes.timeoutMs', form: 'number' },
  { name: 'PROBE_DOWN_AFTER', path: 'probes.downAfter', form: 'number' },
  { name: 'DISCOVERY_INTERVAL_MS', path: 'discovery.intervalMs', form: 'number' },
  { name: 'SEARCH_TIMEOUT_MS', path: 'discovery.searchTimeoutMs', form: 'number' },
];

/** Variables that add backends and models instead of setting one value. */
export const BACKEND_VARIABLES = [
  'OLLAMA_BASE_URL',
  'OLLAMA_MODEL',
  'VLLM_BASE_URL',
  'OPENAI_BASE_URL',
  'OPENAI_API_KEY',
] as const;

export interface EnvSettings {
  /** Path of a setting → its value, not yet checked. */
  readonly values: ReadonlyMap<string, unknown>;
  /** Path of a setting → the variable it came from. */
  readonly origins: ReadonlyMap<string, string>;
  readonly backends: readonly EnvBackend[];
  /** Offered under the name `default`. */
  readonly defaultModel: string | undefined;
  readonly faults: readonly Fault[];
}

export interface EnvBackend {
  readonly name: string;
  readonly kind: 'ollama' | 'vllm' | 'openai';
  readonly url: string;
  readonly apiKey?: string;
}

export function readEnv(env: Env, readFile: ReadFile): EnvSettings {
  const faults: Fault[] = [];

  /** An empty variable is one that was not set: compose files and charts leave such. */
  function read(name: string): string | undefined {
    if (env[name]) return env[name];
    const path = env[`${name}_FILE`];
    if (!path) return undefined;
    try {
      return readFile(path).trim() || undefined;
    } catch {
      faults.push({ where: `environment ${name}_FILE`, message: `cannot read the file '${path}'.` });
      return undefined;
    }
  }

  const values = new Map<string, unknown>();
  const origins = new Map<string, string>();
  for (const { name, path, form } of VARIABLES) {
    const text = read(name);
    if (text === undefined) continue;
    values.set(path, parse(text, form));
    origins.set(path, name);
  }
  const [ollama, vllm, openai] = (['OLLAMA', 'VLLM', 'OPENAI'] as const).map((prefix) =>
    listOf(read(`${prefix}_BASE_URL`) ?? ''),
  );
  const openaiKey = read('OPENAI_API_KEY');
  return {
    values,
    origins,
    backends: [
      ...named('ollama', ollama),
      ...named('vllm', vllm),
      ...named('openai', openai).map((backend) => ({ ...backend, ...(openaiKey && { apiKey: openaiKey }) })),
    ],
    defaultModel: read('OLLAMA_MODEL'),
    faults,
  };
}

/** Several of a kind are `ollama`, `ollama-2`, `ollama-3`, … */
function named(kind: EnvBackend['kind'], urls: readonly string[] = []): EnvBackend[] {
  return urls.map((url, i) => ({ name: i === 0 ? kind : `${kind}-${String(i + 1)}`, kind, url }));
}

/** What does not fit the form stays text, for the schema to complain about. */
function parse(text: string, form: Form): unknown {
  switch (form) {
    case 'text':
      return text;
    case 'list':
      return listOf(text);
    case 'pairs':
      return pairsOf(text);
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return (
        { true: true, '1': true, yes: true, false: false, '0': false, no: false }[text.toLowerCase()] ?? text
      );
  }
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** `name=value,name=value`, as OpenTelemetry writes maps: like W3C's baggage, with values percent-encoded. */
function pairsOf(text: string): unknown {
  const pairs = listOf(text).map((item) => /^([^=]+?)\s*=\s*(.*)$/.exec(item) ?? []);
  if (pairs.some(({ length }) => length === 0)) return text;
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, decode(value)]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
