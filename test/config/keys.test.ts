/** Keys of the environment, the configuration and the key file → what is kept of them, or every fault. */

import { describe, expect, it } from '@jest/globals';
import { ConfigError, type Fault } from '../../src/config/fault.ts';
import type { Auth } from '../../src/config/keys.ts';
import { loadConfig, type Config } from '../../src/config/load.ts';
import { printKey } from '../../src/core/api-key.ts';
import { NO_LIMITS } from '../../src/core/client.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';

const KEY = 'a-key-of-at-least-thirty-two-characters';
const SECRET = 'a-secret-of-at-least-thirty-two-characters';
const CREATED = '2026-11-01T00:00:00.000Z';

function load(file: string, env: Readonly<Record<string, string>> = {}, keyFile?: string): Config {
  return loadConfig({
    env,
    exists: (path) => path === 'gateway.yaml' && file !== '',
    readFile(path) {
      const text = path === 'gateway.yaml' ? file : path === 'keys.json' ? keyFile : undefined;
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
    hashKey,
    tlsChecks,
  });
}

const auth = (...given: Parameters<typeof load>): Auth => load(...given).auth;

function faultsOf(...given: Parameters<typeof load>): readonly Fault[] {
  try {
    load(...given);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const keysFile = (...keys: readonly object[]): string => JSON.stringify({ keys }, null, 2);
const fileKey = (name: string, more: object = {}): object => ({
  id: `key_${name}`,
  name,
  hash: hashKey(`key of ${name}`),
  created: CREATED,
  ...more,
});

describe('keys', () => {
  it('of the environment are named by their order, and one that is given twice is one', () => {
    const { keys, adminKey } = auth('', {
      AUTH_KEY: KEY,
      API_KEYS: `${KEY},${KEY}-2`,
      ADMIN_KEY: `${KEY}-a`,
    });
    expect(keys.map(({ client, source }) => [client.name, client.keyId, client.isAdmin, source])).toEqual([
      ['default', 'default', false, 'auth.key'],
      ['key-2', 'key-2', false, 'auth.keys'],
    ]);
    expect(adminKey).toMatchObject({ hash: hashKey(`${KEY}-a`), client: { name: 'admin', isAdmin: true } });
  });

  it('of the configuration carry all that is said of them', () => {
    const file = `
auth:
  clients:
    - name: alice
      key: ${KEY}
      models: ['llama*', gpt-4o]
      limits: { requestsPerMinute: 60, tokensPerMinute: 1000, concurrency: 2, tokensPerDay: 5000, tokensPerMonth: 9000 }
      modelLimits: [{ models: 'gpt-*', requestsPerMinute: 5 }]
      priority: 7
      expires: 2027-01-31
      admin: true
      metadata: { team: research }
    - name: bob
      hash: ${hashKey(`${KEY}-b`)}
      expires: 2027-01-31T12:00:00+02:00`;
    expect(auth(file).keys).toEqual([
      {
        hash: hashKey(KEY),
        previous: [],
        expiresMs: Date.UTC(2027, 0, 31),
        isRevoked: false,
        metadata: { team: 'research' },
        source: 'auth.clients',
        client: {
          name: 'alice',
          keyId: 'alice',
          models: ['llama*', 'gpt-4o'],
          limits: {
            requestsPerMinute: 60,
            tokensPerMinute: 1000,
            concurrency: 2,
            tokensPerDay: 5000,
            tokensPerMonth: 9000,
          },
          modelLimits: [{ models: 'gpt-*', requestsPerMinute: 5, tokensPerMinute: 0 }],
          priority: 7,
          isAdmin: true,
        },
      },
      {
        hash: hashKey(`${KEY}-b`),
        previous: [],
        expiresMs: Date.UTC(2027, 0, 31, 10),
        isRevoked: false,
        metadata: {},
        source: 'auth.clients',
        client: {
          name: 'bob',
          keyId: 'bob',
          models: undefined,
          limits: NO_LIMITS,
          modelLimits: [],
          priority: 0,
          isAdmin: false,
        },
      },
    ]);
  });

  it('of the key file keep their id, and what was replaced or revoked is known', () => {
    const previous = [{ hash: hashKey('the old one'), expires: '2026-12-01T00:00:00.000Z' }];
    const file = keysFile(
      fileKey('carol', { previous, limits: { tokensPerDay: 3 } }),
      fileKey('dave', { revoked: CREATED }),
    );
    expect(auth('', { KEY_FILE: 'keys.json' }, file).keys).toMatchObject([
      {
        hash: hashKey('key of carol'),
        previous: [{ hash: hashKey('the old one'), expiresMs: Date.UTC(2026, 11, 1) }],
        isRevoked: false,
        source: 'auth.keyFile',
        client: { name: 'carol', keyId: 'key_carol', limits: { ...NO_LIMITS, tokensPerDay: 3 } },
      },
      { isRevoked: true, client: { name: 'dave' } },
    ]);
  });

  it('that say nothing of a limit have the general one, whichever source they are of', () => {
    const file = `
auth:
  keyFile: keys.json
  limits: { requestsPerMinute: 100, concurrency: 8 }
  clients: [{ name: bob, key: ${KEY}-b, limits: { requestsPerMinute: 0 } }]`;
    const { keys, adminKey } = auth(
      file,
      { AUTH_KEY: KEY, ADMIN_KEY: `${KEY}-a` },
      keysFile(fileKey('carol')),
    );
    expect(keys.map(({ client }) => [client.name, client.limits])).toEqual([
      ['default', { ...NO_LIMITS, requestsPerMinute: 100, concurrency: 8 }],
      ['bob', { ...NO_LIMITS, concurrency: 8 }],
      ['carol', { ...NO_LIMITS, requestsPerMinute: 100, concurrency: 8 }],
    ]);
    expect(adminKey?.client.limits).toEqual(NO_LIMITS);
  });

  it('are nowhere in the configuration as they were written down', () => {
    const file = `auth: { clients: [{ name: bob, key: ${KEY}-b }] }`;
    const config = load(file, { AUTH_KEY: KEY, API_KEYS: `${KEY}-2`, ADMIN_KEY: `${KEY}-a` });
    expect(config.auth.keys).toHaveLength(3);
    expect(JSON.stringify(config)).not.toContain(KEY);
  });

  it('are kept with the secret when there is one, beside those of before', () => {
    const file = keysFile(fileKey('old'), fileKey('new', { hash: hashKey('new', SECRET) }));
    const { keys, hashSecret } = auth(
      '',
      { AUTH_KEY: KEY, KEY_FILE: 'keys.json', KEY_HASH_SECRET: SECRET },
      file,
    );
    expect(hashSecret).toBe(SECRET);
    expect(keys.map(({ hash }) => hash)).toEqual([
      hashKey(KEY, SECRET),
      hashKey('key of old'),
      hashKey('new', SECRET),
    ]);
    expect(hashKey(KEY, SECRET)).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
  });
});

describe('the gateway', () => {
  it.each([
    ['AUTH_KEY', '', { AUTH_KEY: KEY }, undefined],
    ['API_KEYS', '', { API_KEYS: KEY }, undefined],
    ['auth.clients', `auth: { clients: [{ name: a, key: ${KEY} }] }`, {}, undefined],
    ['a key file', '', { KEY_FILE: 'keys.json' }, keysFile(fileKey('a'))],
    [
      'a key file with revoked keys only',
      '',
      { KEY_FILE: 'keys.json' },
      keysFile(fileKey('a', { revoked: CREATED })),
    ],
    ['a key file without any key', '', { KEY_FILE: 'keys.json' }, keysFile()],
  ])('is closed and may listen to all with %s', (_, file, env, keyFile) => {
    const config = load(file, env, keyFile);
    expect([config.auth.isOpen, config.server.host]).toEqual([false, '0.0.0.0']);
    expect(faultsOf(file, { ...env, HOST: '0.0.0.0' }, keyFile)).toEqual([]);
  });

  it('is open and for this machine only with no key, also when the operator has one', () => {
    for (const env of [{}, { ADMIN_KEY: KEY }, { KEY_HASH_SECRET: SECRET }]) {
      const config = load('', env);
      expect([config.auth.isOpen, config.server.host]).toEqual([true, '127.0.0.1']);
      expect(faultsOf('', { ...env, HOST: '0.0.0.0' })).toMatchObject([{ where: 'environment HOST' }]);
    }
  });
});

describe('a fault', () => {
  const garbled = `${printKey(new Uint8Array(32)).slice(0, -1)}!`.replace('!', 'z');

  it.each([
    [
      'a name that is taken by the environment',
      `auth:\n  clients:\n    - { name: default, key: ${KEY}-b }`,
      'gateway.yaml:3:15',
      /auth\.clients\[0\]\.name: 'default' is taken/,
    ],
    [
      'a name that stands for nobody',
      `auth:\n  clients:\n    - { name: anonymous, key: ${KEY}-b }`,
      'gateway.yaml:3:15',
      /'anonymous' is taken/,
    ],
    [
      'a name twice',
      `auth:\n  clients:\n    - { name: a, key: ${KEY}-b }\n    - { name: a, key: ${KEY}-c }`,
      'gateway.yaml:4:15',
      /auth\.clients\[1\]\.name: 'a' is taken/,
    ],
    [
      'a key twice',
      `auth:\n  clients:\n    - { name: a, key: ${KEY} }`,
      'gateway.yaml:3:23',
      /auth\.clients\[0\]\.key: is the key of 'default'/,
    ],
    [
      'a key of our own form with a slip',
      `auth:\n  clients:\n    - { name: a, key: ${garbled} }`,
      'gateway.yaml:3:23',
      /missing or wrong/,
    ],
    [
      'neither key nor hash',
      'auth:\n  clients:\n    - { name: a }',
      'gateway.yaml:3:7',
      /either 'key' or 'hash'/,
    ],
    [
      'both',
      `auth:\n  clients:\n    - { name: a, key: ${KEY}-b, hash: "${hashKey('x')}" }`,
      'gateway.yaml:3:7',
      /either 'key' or 'hash'/,
    ],
    [
      'a hash that is none',
      'auth:\n  clients:\n    - { name: a, hash: "md5:abc" }',
      'gateway.yaml:3:24',
      /sha256:/,
    ],
    [
      'a hash with a secret that is not set',
      `auth:\n  clients:\n    - { name: a, hash: "${hashKey('x', SECRET)}" }`,
      'gateway.yaml:3:24',
      /KEY_HASH_SECRET/,
    ],
    [
      'a day that is not in the calendar',
      `auth:\n  clients:\n    - { name: a, key: ${KEY}-b, expires: 2027-02-30 }`,
      'gateway.yaml:3:75',
      /2027-01-31/,
    ],
    [
      'a name with a space',
      `auth:\n  clients:\n    - { name: "a b", key: ${KEY}-b }`,
      'gateway.yaml:3:15',
      /letters, digits/,
    ],
    [
      'an unknown limit',
      `auth:\n  clients:\n    - { name: a, key: ${KEY}-b, limits: { requestPerMinute: 1 } }`,
      'gateway.yaml:3:76',
      /Did you mean 'requestsPerMinute'/,
    ],
    ['a secret that is short', 'auth: { hashSecret: short }', 'gateway.yaml:1:21', /32 characters/],
  ])('in the configuration, such as %s, is told with its place', (_, file, where, message) => {
    const faults = faultsOf(file, { AUTH_KEY: KEY });
    expect(faults).toEqual([{ where, message: expect.stringMatching(message) }]);
    expect(JSON.stringify(faults)).not.toContain(KEY);
  });

  it.each([
    ['that is not there', undefined, 'environment KEY_FILE', /keys create --name NAME --file keys\.json/],
    ['that is empty', '', 'keys.json:1:1', /keys: is missing/],
    ['that is cut off', keysFile(fileKey('a')).slice(0, -4), /^keys\.json:\d+:\d+$/, /./],
    ['that is no map', '[]', 'keys.json:1:1', /expected object/],
    [
      'with a wrong value',
      keysFile(fileKey('a', { limits: { concurrency: 'two' } })),
      'keys.json:9:24',
      /keys\[0\]\.limits\.concurrency/,
    ],
    [
      'with an unknown member',
      keysFile(fileKey('a', { model: ['x'] })),
      'keys.json:8:7',
      /Did you mean 'models'/,
    ],
    [
      'with a key instead of its hash',
      keysFile(fileKey('a', { hash: KEY })),
      'keys.json:6:15',
      /64 hex digits/,
    ],
    [
      'with a name that is taken',
      keysFile(fileKey('b'), fileKey('default')),
      'keys.json:11:15',
      /keys\[1\]\.name: 'default'/,
    ],
    [
      'with an id that is taken',
      keysFile(fileKey('b', { id: 'default' })),
      'keys.json:4:13',
      /keys\[0\]\.id: 'default'/,
    ],
    [
      'with a key that another source has',
      keysFile(fileKey('b', { hash: hashKey(KEY) })),
      'keys.json:6:15',
      /'default'/,
    ],
    [
      'with a replaced key that another one is',
      keysFile(fileKey('b'), fileKey('c', { previous: [{ hash: hashKey('key of b'), expires: CREATED }] })),
      /^keys\.json:\d+:\d+$/,
      /is the key of 'b'/,
    ],
  ])('in a key file %s is told with its place', (_, keyFile, where, message) => {
    const faults = faultsOf('', { AUTH_KEY: KEY, KEY_FILE: 'keys.json' }, keyFile);
    expect(faults).toEqual([
      {
        where: typeof where === 'string' ? where : expect.stringMatching(where),
        message: expect.stringMatching(message),
      },
    ]);
    expect(JSON.stringify(faults)).not.toContain(KEY);
  });

  it('of another sort does not hide it, nor is it hidden', () => {
    const file = `sever: {}\nauth: { clients: [{ name: a, key: ${KEY} }] }`;
    const faults = faultsOf(file, { AUTH_KEY: KEY, KEY_FILE: 'keys.json' });
    expect(faults.map(({ where }) => where)).toEqual([
      'gateway.yaml:1:1',
      'environment KEY_FILE',
      'gateway.yaml:2:35',
    ]);
  });

  it('of a key in the environment is told by its variable', () => {
    expect(faultsOf('', { AUTH_KEY: garbled })).toMatchObject([{ where: 'environment AUTH_KEY' }]);
    expect(faultsOf('', { AUTH_KEY: KEY, API_KEYS: `${KEY}-2,${garbled}` })).toMatchObject([
      { where: 'environment API_KEYS', message: expect.stringMatching(/^auth\.keys\[1\]: /) },
    ]);
    expect(faultsOf('', { KEY_HASH_SECRET: 'short' })).toMatchObject([
      { where: 'environment KEY_HASH_SECRET' },
    ]);
  });
});
