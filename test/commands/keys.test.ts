/** The commands that make, show, revoke and replace keys. */

import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { runKeys } from '../../src/commands/keys/index.ts';
import { isGarbled } from '../../src/core/api-key.ts';
import { hashKey } from '../../src/node/hash-key.ts';

const NOW_MS = Date.UTC(2026, 10, 25, 12);
const SECRET = 's'.repeat(32);
const KEY = /^sk-[0-9A-Za-z]{49}\n$/;

let file: string;
let env: Record<string, string>;
let nowMs: number;

beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'keys-')), 'keys.json');
  env = { KEY_FILE: file, GATEWAY_CONFIG: '' };
  nowMs = NOW_MS;
});

interface Outcome {
  readonly code: number;
  /** Standard output. */
  readonly out: string;
  readonly said: string;
}

async function keys(...args: readonly string[]): Promise<Outcome> {
  let out = '';
  let said = '';
  const code = await runKeys(args, {
    env,
    print: (text) => void (out += text),
    say: (text) => void (said += text),
    nowMs,
    random: randomBytes,
  });
  return { code, out, said };
}

interface StoredKey {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly previous?: readonly { hash: string; expires: string }[];
}

const stored = (): StoredKey[] => (JSON.parse(readFileSync(file, 'utf8')) as { keys: StoredKey[] }).keys;

describe('keys create', () => {
  it('prints the key alone on standard output, and stores its hash with all that was said', async () => {
    const { code, out, said } = await keys(
      ...['create', '--name', 'alice', '--models', 'llama*, gpt-4o', '--models', 'qwen3', '--rpm', '60'],
      ...['--tpm', '1000', '--concurrency', '2', '--tokens-per-day', '0', '--tokens-per-month', '9000'],
      ...['--priority', '-5', '--expires', '30d', '--admin', '--meta', 'team=research', '--meta', 'note=a=b'],
    );
    expect(code).toBe(0);
    expect(out).toMatch(KEY);
    const key = out.trim();
    expect(isGarbled(key)).toBe(false);
    expect(said).not.toContain(key);
    expect(said).toMatch(/alice.*not shown again/);
    expect(stored()).toEqual([
      {
        id: expect.stringMatching(/^key_[0-9a-f]{12}$/),
        name: 'alice',
        hash: hashKey(key),
        created: '2026-11-25T12:00:00.000Z',
        models: ['llama*', 'gpt-4o', 'qwen3'],
        limits: {
          requestsPerMinute: 60,
          tokensPerMinute: 1000,
          concurrency: 2,
          tokensPerDay: 0,
          tokensPerMonth: 9000,
        },
        priority: -5,
        expires: '2026-12-25T12:00:00.000Z',
        admin: true,
        metadata: { team: 'research', note: 'a=b' },
      },
    ]);
    expect(readFileSync(file, 'utf8')).not.toContain(key);
  });

  it('says nothing of what was not said, so that the general limits hold', async () => {
    await keys('create', '--name', 'bob');
    expect(Object.keys(stored()[0] ?? {}).sort()).toEqual(['created', 'hash', 'id', 'name']);
  });

  it('makes another key each time', async () => {
    const outs = [];
    for (const name of ['a', 'b', 'c']) outs.push((await keys('create', '--name', name)).out);
    expect(new Set(outs).size).toBe(3);
    expect(new Set(stored().map(({ id }) => id)).size).toBe(3);
  });

  it('prints one JSON object when it is asked for', async () => {
    const { out } = await keys('create', '--name', 'alice', '--rpm', '5', '--json');
    const printed = JSON.parse(out) as { key: string };
    expect(printed).toMatchObject({ name: 'alice', state: 'active', limits: { requestsPerMinute: 5 }, file });
    expect(hashKey(printed.key)).toBe(stored()[0]?.hash);
    expect(out).not.toContain('sha256:');
  });

  it('keeps the key with the secret when there is one', async () => {
    env.KEY_HASH_SECRET = SECRET;
    const { out } = await keys('create', '--name', 'alice');
    expect(stored()[0]?.hash).toBe(hashKey(out.trim(), SECRET));
  });

  it.each([
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T12:00:00+02:00', '2027-01-31T10:00:00.000Z'],
    ['2027-01-31T12:00Z', '2027-01-31T12:00:00.000Z'],
    ['12h', '2026-11-26T00:00:00.000Z'],
    ['90m', '2026-11-25T13:30:00.000Z'],
  ])('takes %s for %s', async (given, expires) => {
    await keys('create', '--name', 'alice', '--expires', given);
    expect(stored()).toMatchObject([{ expires }]);
  });

  it('gives a revoked name to a new key, under another id', async () => {
    await keys('create', '--name', 'alice');
    const [before] = stored();
    await keys('revoke', 'alice');
    expect((await keys('create', '--name', 'alice')).code).toBe(0);
    expect(stored()).toHaveLength(1);
    expect(stored()[0]?.id).not.toBe(before?.id);
    expect(stored()[0]?.hash).not.toBe(before?.hash);
  });

  it.each(['alice', 'default', 'key-2', 'admin', 'anonymous', 'of-the-configuration'])(
    'does not take the name %s from another key',
    async (name) => {
      env.GATEWAY_CONFIG = join(mkdtempSync(join(tmpdir(), 'keys-')), 'gateway.yaml');
      writeFileSync(
        env.GATEWAY_CONFIG,
        `auth: { key: "\${NOT_SET_HERE}", clients: [{ name: of-the-configuration, key: "\${NEITHER}" }] }`,
      );
      await keys('create', '--name', 'alice');
      const { code, out, said } = await keys('create', '--name', name);
      expect([code, out]).toEqual([1, '']);
      expect(said).toContain(name);
      expect(stored()).toHaveLength(1);
    },
  );
});

describe('keys list', () => {
  it('shows names, ids, states, models, limits and expiry, and neither keys nor hashes', async () => {
    const secrets = [
      (await keys('create', '--name', 'alice', '--models', 'llama*', '--rpm', '60')).out.trim(),
      (await keys('create', '--name', 'bob', '--expires', '1h', '--admin')).out.trim(),
      (await keys('create', '--name', 'carol')).out.trim(),
      (await keys('rotate', 'carol', '--grace', '1d')).out.trim(),
      (await keys('create', '--name', 'dave')).out.trim(),
    ];
    await keys('revoke', 'dave');
    nowMs += 3_600_000;
    const { out } = await keys('list');
    const rows = out
      .trim()
      .split('\n')
      .map((row) => row.split(/ {2,}/));
    const ids = stored().map(({ id }) => id);
    expect(rows).toEqual([
      ['NAME', 'ID', 'STATE', 'MODELS', 'LIMITS', 'EXPIRES'],
      ['alice', ids[0], 'active', 'llama*', '60 requests a minute', 'never'],
      ['bob', ids[1], 'expired, admin', 'all', 'those of auth.limits', '2026-11-25T13:00:00.000Z'],
      ['carol', ids[2], 'active, old key too', 'all', 'those of auth.limits', 'never'],
      ['dave', ids[3], 'revoked', 'all', 'those of auth.limits', 'never'],
    ]);
    const json = (await keys('list', '--json')).out;
    expect(JSON.parse(json)).toMatchObject([
      { name: 'alice', state: 'active', models: ['llama*'] },
      { name: 'bob', state: 'expired', admin: true },
      { name: 'carol', state: 'active', previousUntil: ['2026-11-26T12:00:00.000Z'] },
      { name: 'dave', state: 'revoked' },
    ]);
    for (const secret of [...secrets, ...secrets.map((key) => hashKey(key).slice(7))]) {
      expect(out + json).not.toContain(secret);
    }
  });
});

describe('keys revoke', () => {
  it('takes a name or an id, twice as well as once, and refuses replaced keys too', async () => {
    await keys('create', '--name', 'alice');
    await keys('create', '--name', 'bob');
    await keys('rotate', 'alice', '--grace', '1h');
    expect(await keys('revoke', 'alice')).toMatchObject({ code: 0, out: '' });
    expect((await keys('revoke', stored()[1]?.id ?? '')).code).toBe(0);
    const once = readFileSync(file, 'utf8');
    nowMs += 1000;
    expect((await keys('revoke', 'alice')).said).toContain('revoked since 2026-11-25T12:00:00.000Z');
    expect(readFileSync(file, 'utf8')).toBe(once);
    expect(stored()).toMatchObject([
      { name: 'alice', revoked: '2026-11-25T12:00:00.000Z' },
      { name: 'bob', revoked: '2026-11-25T12:00:00.000Z' },
    ]);
    expect(stored()[0]).not.toHaveProperty('previous');
  });
});

describe('keys rotate', () => {
  it('makes a new key for the same id, name and limits, and the old one is no more', async () => {
    const old = (await keys('create', '--name', 'alice', '--rpm', '5', '--expires', '30d')).out.trim();
    const [before] = stored();
    const { code, out } = await keys('rotate', 'alice');
    expect(code).toBe(0);
    expect(out).toMatch(KEY);
    expect(out.trim()).not.toBe(old);
    expect(stored()).toEqual([{ ...before, hash: hashKey(out.trim()) }]);
  });

  it('lets the old one be used for a while, and those before it no longer than they were to be', async () => {
    const first = (await keys('create', '--name', 'alice')).out.trim();
    const second = (await keys('rotate', 'alice', '--grace', '1h')).out.trim();
    nowMs += 1_800_000;
    await keys('rotate', 'alice', '--grace', '1h');
    expect(stored()[0]?.previous).toEqual([
      { hash: hashKey(first), expires: '2026-11-25T13:00:00.000Z' },
      { hash: hashKey(second), expires: '2026-11-25T13:30:00.000Z' },
    ]);
    nowMs += 1_800_000;
    await keys('rotate', 'alice', '--grace', '1h');
    expect(stored()[0]?.previous?.map(({ hash }) => hash)).not.toContain(hashKey(first));
    await keys('rotate', 'alice');
    expect(stored()[0]).not.toHaveProperty('previous');
  });

  it('makes no key of a revoked one, and of an expired one only with a new term', async () => {
    await keys('create', '--name', 'alice', '--expires', '1h');
    nowMs += 3_600_000;
    expect(await keys('rotate', 'alice')).toMatchObject({ code: 1, out: '' });
    expect((await keys('rotate', 'alice', '--expires', '1h')).code).toBe(0);
    expect(stored()).toMatchObject([{ expires: '2026-11-25T14:00:00.000Z' }]);
    await keys('revoke', 'alice');
    expect(await keys('rotate', 'alice')).toMatchObject({ code: 1, out: '' });
  });
});

describe('the file', () => {
  it('is for its owner only, and nothing is left beside it', async () => {
    await keys('create', '--name', 'alice');
    chmodSync(file, 0o644);
    await keys('create', '--name', 'bob');
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(readdirSync(join(file, '..'))).toEqual(['keys.json']);
  });

  it('is replaced and never written into, so that who reads it sees all or nothing', async () => {
    await keys('create', '--name', 'alice');
    const before = statSync(file).ino;
    await keys('create', '--name', 'bob');
    expect(statSync(file).ino).not.toBe(before);
  });

  it('behind a link is changed, and the link stays', async () => {
    await keys('create', '--name', 'alice');
    const link = join(mkdtempSync(join(tmpdir(), 'keys-')), 'link.json');
    symlinkSync(file, link);
    await keys('create', '--name', 'bob', '--file', link);
    expect(stored().map(({ name }) => name)).toEqual(['alice', 'bob']);
  });

  it('keeps everything when many change it at once', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `user-${String(i)}`);
    const outcomes = await Promise.all(names.map((name) => keys('create', '--name', name)));
    expect(outcomes.filter(({ code }) => code !== 0)).toEqual([]);
    expect(
      stored()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...names].sort());
  });

  it('that is broken is not touched, and its faults are told with their places', async () => {
    writeFileSync(file, '{"keys": [{"name": "x"}]}');
    for (const args of [['create', '--name', 'a'], ['list'], ['revoke', 'x'], ['rotate', 'x']]) {
      const { code, said } = await keys(...args);
      expect([args, code]).toEqual([args, 78]);
      expect(said).toContain(`${file}:1:11`);
    }
    expect(readFileSync(file, 'utf8')).toBe('{"keys": [{"name": "x"}]}');
  });

  it('that cannot be written is told in words', async () => {
    const { code, said } = await keys(
      'create',
      '--name',
      'a',
      '--file',
      join(file, '..', 'nowhere', 'k.json'),
    );
    expect([code, said]).toEqual([1, expect.stringMatching(/its folder is not there/)]);
  });

  it('is the configured one, else keys.json, unless another is named', async () => {
    const folder = join(file, '..');
    const config = join(folder, 'gateway.yaml');
    writeFileSync(
      config,
      `auth: { keyFile: "${join(folder, 'configured.json')}" }\nserver: { port: "\${NOT_SET}" }`,
    );
    env = { GATEWAY_CONFIG: config };
    await keys('create', '--name', 'a');
    await keys('create', '--name', 'b', '--file', join(folder, 'other.json'));
    expect(readdirSync(folder).sort()).toEqual(['configured.json', 'gateway.yaml', 'other.json']);
  });

  it('whose setting cannot be known here is not guessed', async () => {
    const config = join(file, '..', 'gateway.yaml');
    for (const [setting, variable] of [
      ['keyFile: "${MY_KEY_FILE}"', 'MY_KEY_FILE'],
      ['hashSecret: "${MY_SECRET_OF_THIRTY_TWO_CHARACTERS}"', 'MY_SECRET_OF_THIRTY_TWO_CHARACTERS'],
      ['hashSecret: short', '32 characters'],
    ] as const) {
      writeFileSync(config, `auth: { ${setting} }`);
      env = { GATEWAY_CONFIG: config };
      const { code, said } = await keys('create', '--name', 'a', '--file', file);
      expect([code, said]).toEqual([78, expect.stringContaining(variable)]);
    }
    env = { KEY_HASH_SECRET_FILE: '/nowhere', GATEWAY_CONFIG: '' };
    expect((await keys('create', '--name', 'a', '--file', file)).code).toBe(78);
  });
});

describe('a line that is not understood', () => {
  it.each([
    [[], /Usage: node-ai-gateway keys COMMAND/],
    [['make'], /no command 'make'/],
    [['create'], /--name is missing/],
    [['create', 'alice'], /not understood: alice/],
    [['create', '--name', 'a b'], /--name: expected letters/],
    [['create', '--name', 'a', '--rpm', 'many'], /--rpm: expected a whole number/],
    [['create', '--name', 'a', '--rpm', '-1'], /--rpm/],
    [['create', '--name', 'a', '--rpm', '1.5'], /--rpm/],
    [['create', '--name', 'a', '--priority', '101'], /--priority/],
    [['create', '--name', 'a', '--models', ''], /--models/],
    [['create', '--name', 'a', '--models', 'x,,y'], /--models/],
    [['create', '--name', 'a', '--expires', 'soon'], /--expires: 'soon' is not understood/],
    [['create', '--name', 'a', '--expires', '2027-02-30'], /no such day/],
    [['create', '--name', 'a', '--expires', '2026-01-01'], /over already/],
    [['create', '--name', 'a', '--expires', '0d'], /--expires/],
    [['create', '--name', 'a', '--meta', 'team'], /--meta: expected key=value/],
    [['create', '--name', 'a', '--modells', 'x'], /Unknown option '--modells'/],
    [['create', '--name'], /--name/],
    [['revoke'], /expected one NAME/],
    [['revoke', 'a', 'b'], /expected one NAME/],
    [['rotate', 'a', '--grace', '1'], /--grace/],
    [['list', '--name', 'a'], /Unknown option '--name'/],
  ])('%j ends with 64 and says what to type', async (args, message) => {
    const { code, out, said } = await keys(...args);
    expect([code, out]).toEqual([64, '']);
    expect(said).toMatch(message);
    expect(said).toMatch(/Usage: node-ai-gateway keys/);
    expect(readdirSync(join(file, '..'))).toEqual([]);
  });

  it.each([
    [['--help']],
    [['-h']],
    [['help']],
    [['create', '--help']],
    [['list', '-h']],
    [['revoke', '-h']],
    [['rotate', '--help']],
  ])('%j prints help and ends with 0', async (args) => {
    const { code, out, said } = await keys(...args);
    expect([code, said]).toEqual([0, '']);
    expect(out).toMatch(/^Usage: node-ai-gateway keys/);
  });

  it('names a key that is not there, and those that are', async () => {
    expect(await keys('revoke', 'alice')).toMatchObject({ code: 1, said: expect.stringMatching(/no file/) });
    await keys('create', '--name', 'bob');
    for (const command of ['revoke', 'rotate']) {
      expect(await keys(command, 'alice')).toMatchObject({
        code: 1,
        out: '',
        said: expect.stringMatching(/no key 'alice'.*bob/),
      });
    }
  });
});
