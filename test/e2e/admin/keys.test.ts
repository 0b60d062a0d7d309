/** Keys of clients, made, replaced and revoked by the operator while the gateway runs. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { expectAnswer } from '../../contract/answers.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { ADMIN_KEY, askAsOperator } from '../../support/operator.ts';
import { saying } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';

const setup = createSetup();
const CREATE = 'POST /admin/keys';
const ROTATE = 'POST /admin/keys/{id}/rotate';
const REVOKE = 'DELETE /admin/keys/{id}';

interface Change {
  readonly id: string;
  readonly key: string;
  readonly applied: boolean;
  readonly details: { readonly state: string; readonly previousUntil: readonly string[] } | null;
}

interface Started extends TestGateway {
  /** The key file. */
  readonly path: string;
}

async function start(env: Readonly<Record<string, string>> = {}, file = ''): Promise<Started> {
  const backend = await setup.backend(saying('x'), { models: ['m', 'other'] });
  const path = join(mkdtempSync(join(tmpdir(), 'keys-')), 'keys.json');
  writeFileSync(path, '{"keys":[]}');
  const gateway = await setup.gateway({
    env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY, KEY_FILE: path, ...env },
    file,
  });
  return { ...gateway, path };
}

async function change(name: string, url: string, path: string, body?: object): Promise<Change> {
  const [method] = name.split(' ');
  return (await expectAnswer(name, await askAsOperator(url + path, method, body))).body as Change;
}

const create = (url: string, body: object): Promise<Change> => change(CREATE, url, '/admin/keys', body);

async function list(url: string): Promise<readonly Record<string, unknown>[]> {
  const { body } = await expectAnswer('GET /admin/keys', await askAsOperator(`${url}/admin/keys`));
  return (body as { keys: Record<string, unknown>[] }).keys;
}

/** The status of a request with this key. */
async function tryKey(url: string, key: string, path = '/v1/models'): Promise<number> {
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } });
  await response.text();
  return response.status;
}

describe('a key that the operator makes', () => {
  it('is good at once, for its models, and its like is known as little as before', async () => {
    const { url, path, logs } = await start();
    const { key, applied, id, details } = await create(url, {
      name: 'alice',
      models: ['m'],
      limits: { requestsPerMinute: 60 },
      expires: '2099-01-01',
      metadata: { team: 'a' },
    });
    expect({ applied, key, id }).toEqual({
      applied: true,
      key: expect.stringMatching(/^sk-[0-9A-Za-z]{49}$/),
      id: expect.stringMatching(/^key_[0-9a-f]{12}$/),
    });
    expect(details).toMatchObject({ name: 'alice', state: 'active', models: ['m'], admin: false });
    const models = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    expect(await models.json()).toMatchObject({ data: [{ id: 'm' }] });
    expect(await tryKey(url, key, '/v1/models/other')).toBe(404);
    expect(await tryKey(url, key, '/admin/keys')).toBe(401);

    const known = await list(url);
    expect(known).toMatchObject([
      { name: 'admin', source: 'auth.adminKey', admin: true },
      {
        id,
        name: 'alice',
        source: 'auth.keyFile',
        metadata: { team: 'a' },
        expires: '2099-01-01T00:00:00.000Z',
      },
    ]);
    const [stored] = (JSON.parse(readFileSync(path, 'utf8')) as { keys: { hash: string }[] }).keys;
    for (const text of [JSON.stringify(known), JSON.stringify(logs)]) {
      expect(text).not.toContain(key);
      expect(text).not.toContain(stored?.hash ?? key);
    }
    expect(readFileSync(path, 'utf8')).not.toContain(key);
  });

  it('may be an operator’s', async () => {
    const { url } = await start();
    const { key } = await create(url, { name: 'second', admin: true });
    expect(await tryKey(url, key, '/admin/keys')).toBe(200);
    expect(await tryKey(url, key)).toBe(200);
  });

  it('comes with no answer that a cache may keep', async () => {
    const { url } = await start();
    const response = await askAsOperator(`${url}/admin/keys`, 'POST', { name: 'a' });
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('is told even when the configuration cannot be loaded just now', async () => {
    const { url, rewrite } = await start();
    rewrite('strict: perhaps');
    const { key, applied, details } = await create(url, { name: 'a' });
    expect({ applied, details }).toEqual({ applied: false, details: null });
    expect(await tryKey(url, key)).toBe(401);
    rewrite('');
    await askAsOperator(`${url}/admin/reload`, 'POST');
    expect(await tryKey(url, key)).toBe(200);
  });

  it.each<readonly [object, string | null, string | null]>([
    [{}, 'name', 'missing_required_parameter'],
    [{ name: 'a b' }, 'name', 'invalid_value'],
    [{ name: 'admin' }, 'name', 'invalid_value'],
    [{ name: 'default' }, 'name', 'invalid_value'],
    [{ name: 'a', models: 'm' }, 'models', 'invalid_type'],
    [{ name: 'a', limits: { requestsPerMinute: -1 } }, 'limits.requestsPerMinute', 'integer_below_min_value'],
    [{ name: 'a', limits: { rpm: 1 } }, 'limits.rpm', 'unknown_parameter'],
    [{ name: 'a', priority: 1000 }, 'priority', 'integer_above_max_value'],
    [{ name: 'a', expires: 'soon' }, 'expires', 'invalid_value'],
    [{ name: 'a', expires: '2020-01-01' }, 'expires', 'invalid_value'],
    [{ name: 'a', admin: 'yes' }, 'admin', 'invalid_type'],
    [{ name: 'a', hash: `sha256:${'0'.repeat(64)}` }, 'hash', 'unknown_parameter'],
    [{ name: 'a', key: 'my-own-key-of-many-characters' }, 'key', 'unknown_parameter'],
  ])('is refused with %j', async (body, param, code) => {
    const { url, path } = await start({ AUTH_KEY: 'a-client-has-a-key-of-32-characters' });
    const response = await askAsOperator(`${url}/admin/keys`, 'POST', body);
    const { status, body: told } = await expectAnswer(CREATE, response);
    expect(status).toBe(400);
    expect(told).toMatchObject({ error: { param, code } });
    expect(readFileSync(path, 'utf8')).toBe('{"keys":[]}');
  });

  it('needs a key file', async () => {
    const { url } = await start({ KEY_FILE: '' });
    const { status, body } = await expectAnswer(
      CREATE,
      await askAsOperator(`${url}/admin/keys`, 'POST', { name: 'a' }),
    );
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('KEY_FILE');
  });
});

describe('a key that is replaced', () => {
  it('is good for a while if the operator says so, else no more', async () => {
    const { url } = await start();
    const first = await create(url, { name: 'alice' });
    const second = await change(ROTATE, url, `/admin/keys/${first.id}/rotate`, { graceMs: 60_000 });
    expect(second.id).toBe(first.id);
    expect(second.details?.previousUntil).toHaveLength(1);
    expect([await tryKey(url, first.key), await tryKey(url, second.key)]).toEqual([200, 200]);
    const third = await change(ROTATE, url, '/admin/keys/alice/rotate');
    const statuses = [first, second, third].map(({ key }) => tryKey(url, key));
    expect(await Promise.all(statuses)).toEqual([401, 401, 200]);
  });

  it('gets another expiry if it has expired', async () => {
    const { url, path } = await start();
    const { id } = await create(url, { name: 'alice', expires: '2099-01-01' });
    writeFileSync(path, readFileSync(path, 'utf8').replace('2099-01-01', '2020-01-01'));
    await askAsOperator(`${url}/admin/reload`, 'POST');
    const refused = await askAsOperator(`${url}/admin/keys/${id}/rotate`, 'POST', {});
    expect((await expectAnswer(ROTATE, refused)).body).toMatchObject({ error: { param: 'expires' } });
    const { key } = await change(ROTATE, url, `/admin/keys/${id}/rotate`, { expires: '2099-02-01' });
    expect(await tryKey(url, key)).toBe(200);
  });
});

describe('a key that is revoked', () => {
  it('is refused at once, stays in the list, and its name is free', async () => {
    const { url } = await start();
    const first = await create(url, { name: 'alice' });
    const revoked = await change(REVOKE, url, '/admin/keys/alice');
    expect(revoked).toMatchObject({ id: first.id, applied: true, details: { state: 'revoked' } });
    expect(revoked).not.toHaveProperty('key');
    expect(await tryKey(url, first.key)).toBe(401);
    expect((await list(url)).at(-1)).toMatchObject({ id: first.id, state: 'revoked' });
    const again = await askAsOperator(`${url}/admin/keys/${first.id}/rotate`, 'POST');
    expect((await expectAnswer(ROTATE, again)).status).toBe(400);

    const second = await create(url, { name: 'alice' });
    expect(second.id).not.toBe(first.id);
    expect(await tryKey(url, second.key)).toBe(200);
  });

  it('is one of the key file, and there must be one', async () => {
    const { url } = await start({ AUTH_KEY: 'a-client-has-a-key-of-32-characters' });
    for (const [called, status] of [
      ['default', 400],
      ['admin', 400],
      ['nobody', 404],
      ['..', 404],
    ] as const) {
      const response = await askAsOperator(`${url}/admin/keys/${encodeURIComponent(called)}`, 'DELETE');
      expect({ called, status: response.status }).toEqual({ called, status });
    }
  });
});
