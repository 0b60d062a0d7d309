/** Environment and file → configuration, or every fault at once. */

import { describe, expect, it } from '@jest/globals';
import { ConfigError, type Fault } from '../../src/config/fault.ts';
import { loadConfig, type Config } from '../../src/config/load.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';

const KEY = 'k'.repeat(32);

function load(
  file: string,
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Config {
  return loadConfig({
    hashKey,
    tlsChecks,
    env,
    exists: (path) => path === 'gateway.yaml' && file !== '',
    readFile: (path) => {
      const text = path === 'gateway.yaml' ? file : files[path];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
  });
}

function faultsOf(file: string, env: Readonly<Record<string, string>> = {}): readonly Fault[] {
  try {
    load(file, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('without any configuration', () => {
  it('the gateway listens on loopback, on port 3000, with no backend', () => {
    expect(load('')).toMatchObject({
      server: { host: '127.0.0.1', port: 3000, workers: 1 },
      backends: [],
      aliases: [],
      isProduction: false,
      log: { level: 'info', format: 'pretty' },
    });
  });
});

describe('the environment', () => {
  it('wins over the file', () => {
    const file = 'server: { port: 4000, drainTimeoutMs: 7 }\nlog: { level: warn }';
    expect(load(file, { PORT: '5000' })).toMatchObject({
      server: { port: 5000, drainTimeoutMs: 7 },
      log: { level: 'warn' },
    });
  });

  it('names backends by their kind, several of them numbered', () => {
    const { backends } = load('', {
      OLLAMA_BASE_URL: 'http://a:11434/, http://b:11434/v1',
      VLLM_BASE_URL: 'http://c:8000',
      OPENAI_BASE_URL: 'https://api.openai.com/v1',
      OPENAI_API_KEY: 'sk-upstream',
    });
    expect(backends.map(({ name, kind, url, apiKey }) => [name, kind, url, apiKey])).toEqual([
      ['ollama', 'ollama', 'http://a:11434', undefined],
      ['ollama-2', 'ollama', 'http://b:11434', undefined],
      ['vllm', 'vllm', 'http://c:8000/v1', undefined],
      ['openai', 'openai', 'https://api.openai.com/v1', 'sk-upstream'],
    ]);
  });

  it('adds its backends to those of the file, and replaces one of the same name', () => {
    const file = `
backends:
  - { name: gpu, kind: vllm, url: "http://gpu:8000" }
  - { name: ollama, kind: ollama, url: "http://old:1" }`;
    const { backends } = load(file, { OLLAMA_BASE_URL: 'http://new:1' });
    expect(backends.map(({ name, url }) => [name, url])).toEqual([
      ['gpu', 'http://gpu:8000/v1'],
      ['ollama', 'http://new:1'],
    ]);
  });

  it('offers OLLAMA_MODEL as default', () => {
    expect(load('', { OLLAMA_MODEL: 'qwen3:8b' }).aliases).toEqual([
      {
        name: 'default',
        targets: [{ model: 'qwen3:8b' }],
        options: {},
        requestOptions: [],
        completionTemplate: false,
      },
    ]);
  });

  it('reads secrets from files', () => {
    const config = load('', { AUTH_KEY_FILE: '/run/secrets/key' }, { '/run/secrets/key': `${KEY}\n` });
    expect(config.auth.keys).toMatchObject([{ hash: hashKey(KEY), client: { name: 'default' } }]);
    expect(faultsOf('', { AUTH_KEY_FILE: '/nowhere' })).toMatchObject([
      { where: 'environment AUTH_KEY_FILE' },
    ]);
  });

  it('takes an empty variable for none', () => {
    expect(load('', { AUTH_KEY: '', PORT: '', OLLAMA_BASE_URL: '' })).toMatchObject({
      server: { port: 3000 },
      backends: [],
    });
  });

  it('understands times', () => {
    const times = ['1500', '1500ms', '1.5s', '0.025m'];
    for (const DRAIN_TIMEOUT of times) expect(load('', { DRAIN_TIMEOUT }).server.drainTimeoutMs).toBe(1500);
    expect(faultsOf('', { DRAIN_TIMEOUT: '5 parsecs' })).toHaveLength(1);
  });

  it('understands sizes, lists and truth', () => {
    const config = load('', {
      BODY_LIMIT: '512kb',
      CORS_ORIGINS: 'https://a.example, https://b.example',
      ENABLE_METRICS: 'false',
    });
    expect(config.server).toMatchObject({
      bodyLimitBytes: 524_288,
      cors: { origins: ['https://a.example', 'https://b.example'], maxAgeMs: 86_400_000 },
    });
    expect(config.metrics.enabled).toBe(false);
    expect(load('', { BODY_LIMIT: '1000000' }).server.bodyLimitBytes).toBe(1_000_000);
  });

  it('sets the limits of every backend, which a backend may replace', () => {
    const file = 'backends: [{ name: b, kind: ollama, url: "http://b", timeouts: { idleMs: 5 } }]';
    const [backend] = load(file, { IDLE_TIMEOUT_MS: '1000', FIRST_TOKEN_TIMEOUT_MS: '1500' }).backends;
    expect(backend?.timeouts).toEqual({ connectMs: 5000, firstTokenMs: 1500, idleMs: 5, totalMs: 3_600_000 });
  });
});

describe('the file', () => {
  it('puts variables in, with defaults, and keeps numbers numbers', () => {
    const file = `
server:
  port: \${MY_PORT}
  host: \${MY_HOST:-127.0.0.1}
backends:
  - { name: b, kind: vllm, url: "http://\${NODE:-gpu}:8000", apiKey: "\${SECRET}" }`;
    const config = load(file, { MY_PORT: '4321', SECRET: '12345' });
    expect(config).toMatchObject({
      server: { port: 4321, host: '127.0.0.1' },
      backends: [{ url: 'http://gpu:8000/v1', apiKey: '12345' }],
    });
  });

  it('names models with targets and fixed options', () => {
    const file = `
backends: [{ name: b, kind: ollama, url: "http://b" }]
models:
  fast: { targets: [{ backend: b, model: "llama3.2:1b" }], options: { num_ctx: 8192 }, requestOptions: [top_k] }
  "qwen3:8b": { options: { keep_alive: 1h } }`;
    expect(load(file).aliases).toEqual([
      {
        name: 'fast',
        targets: [{ backend: 'b', model: 'llama3.2:1b' }],
        options: { num_ctx: 8192 },
        requestOptions: ['top_k'],
        completionTemplate: false,
      },
      {
        name: 'qwen3:8b',
        targets: [{ model: 'qwen3:8b' }],
        options: { keep_alive: '1h' },
        requestOptions: [],
        completionTemplate: false,
      },
    ]);
  });

  it('that was named but is not there is a fault', () => {
    expect(faultsOf('', { GATEWAY_CONFIG: 'other.yaml' })).toMatchObject([
      { where: 'environment GATEWAY_CONFIG' },
    ]);
  });

  it('that is empty is none', () => {
    expect(load('# nothing yet\n').backends).toEqual([]);
  });
});

describe('faults', () => {
  it('are all told at once, each with its place and a hint', () => {
    const file = [
      'server:',
      '  prot: 3000',
      '  port: many',
      'backends:',
      '  - name: a',
      '    kind: olama',
      '    url: ftp://x',
      '  - name: a',
      '    kind: vllm',
      '    url: http://user:pw@x',
      'models:',
      '  fast: { targets: [{ backend: aa, model: x }] }',
    ].join('\n');
    const faults = faultsOf(file, { WORKERS: 'zero', AUTH_KEY: 'short' });
    expect(faults.map(({ where }) => where).sort()).toEqual([
      'environment AUTH_KEY',
      'environment WORKERS',
      'gateway.yaml:10:10',
      'gateway.yaml:12:32',
      'gateway.yaml:2:3',
      'gateway.yaml:3:9',
      'gateway.yaml:6:11',
      'gateway.yaml:7:10',
      'gateway.yaml:8:11',
    ]);
    const at = (where: string): string => faults.find((fault) => fault.where === where)?.message ?? '';
    expect(at('gateway.yaml:2:3')).toMatch(/Did you mean 'port'/);
    expect(at('gateway.yaml:6:11')).toMatch(/Did you mean 'ollama'/);
    expect(at('gateway.yaml:12:32')).toMatch(/Did you mean 'a'/);
  });

  it.each([
    ['a line of broken YAML', 'server: [', /gateway\.yaml:1:\d+/],
    ['a file that is no map', '- one\n- two', /gateway\.yaml:1:1/],
    ['a variable that is not set', 'server: { host: "${NOPE}" }', /gateway\.yaml:1:17/],
    ['a missing field', 'backends: [{ name: a, kind: vllm }]', /gateway\.yaml:1:12/],
    ['a number out of range', 'server: { port: 70000 }', /gateway\.yaml:1:17/],
    [
      'a header that would break the request',
      'backends: [{ name: a, kind: vllm, url: "http://a", headers: { x: "a\\r\\nb" } }]',
      /gateway\.yaml:1:66/,
    ],
  ])('find %s', (_, file, where) => {
    const faults = faultsOf(file);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.where).toMatch(where);
  });

  it('of one sort do not hide those of another', () => {
    const file = `
sever: {}
models:
  twice: {}
  again: {}
  twice: {}
  again: {}
backends:
  - { name: a, kind: olama, url: "\${MISSING}" }`;
    expect(faultsOf(file).map(({ where }) => where)).toEqual([
      'gateway.yaml:6:3',
      'gateway.yaml:7:3',
      'gateway.yaml:9:34',
      'gateway.yaml:9:22',
      'gateway.yaml:2:1',
    ]);
    expect(faultsOf('', { GATEWAY_CONFIG: 'nowhere.yaml', PORT: 'abc' }).map(({ where }) => where)).toEqual([
      'environment GATEWAY_CONFIG',
      'environment PORT',
    ]);
  });

  it('of workers that cannot share a limit are told', () => {
    const file = 'backends: [{ name: b, kind: ollama, url: "http://b", maxConcurrency: 2 }]';
    expect(faultsOf(file, { WORKERS: '4' })).toMatchObject([{ where: 'environment WORKERS' }]);
    expect(load(file, { WORKERS: '2' }).server.workers).toBe(2);
    expect(load(file, { WORKERS: 'auto' }).server.workers).toBe('auto');
  });

  it('of an environment backend are told by its variable', () => {
    expect(faultsOf('', { OLLAMA_BASE_URL: 'http://fine:1,not a url' })).toMatchObject([
      { where: 'environment OLLAMA_BASE_URL' },
    ]);
  });

  it('never show a secret', () => {
    const faults = faultsOf('backends: [{ name: a, kind: vllm, url: "http://a", apiKey: [topsecret] }]', {
      AUTH_KEY: 'topsecret',
      REDIS_URL: 'http://user:topsecret@redis',
    });
    expect(faults).toHaveLength(3);
    expect(JSON.stringify(faults)).not.toContain('topsecret');
  });
});

describe('a public address', () => {
  it('needs a key, or the word that none is meant', () => {
    expect(faultsOf('', { HOST: '0.0.0.0' })).toMatchObject([{ where: 'environment HOST' }]);
    expect(load('', { HOST: '0.0.0.0', AUTH_KEY: KEY }).server.host).toBe('0.0.0.0');
    expect(load('', { HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' }).server.host).toBe('0.0.0.0');
  });

  it('is the default once there is a key', () => {
    expect(load('', { AUTH_KEY: KEY }).server.host).toBe('0.0.0.0');
  });

  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1'])('is not %s', (host) => {
    expect(load('', { HOST: host }).server.host).toBe(host);
  });
});
