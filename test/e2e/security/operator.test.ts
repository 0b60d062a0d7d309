/** The operator's endpoints without the operator's key, and paths that climb: nobody gets there, and nothing goes on. */

import { describe, expect, it } from '@jest/globals';
import { hashKey } from '../../../src/node/hash-key.ts';
import { exchangeRaw } from '../../support/raw-client.ts';
import { answering } from '../../support/answering.ts';
import { createSetup } from '../../support/setup.ts';
import type { ScriptedBackend } from '../../support/scripted-backend.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const KEY = 'the-key-of-a-client-who-is-no-operator';
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const EXPIRED = 'an-operator-until-the-beginning-of-2026';
const REVOKED = 'an-operator-whose-key-was-taken-away-1';

const KEY_FILE = JSON.stringify({
  keys: [
    { name: 'expired', hash: hashKey(EXPIRED), admin: true, expires: '2026-01-02' },
    { name: 'revoked', hash: hashKey(REVOKED), admin: true, revoked: '2026-01-02T00:00:00Z' },
  ].map((key) => ({ id: `key_${key.name}`, created: '2026-01-01T00:00:00Z', ...key })),
});

const ENDPOINTS = [
  'GET /api/chat/streams',
  'DELETE /api/chat/some-id',
  'POST /admin/reload',
  'GET /admin/backends',
  'POST /admin/backends/vllm/drain',
  'GET /admin/usage',
  'GET /admin/config',
  'GET /admin/keys',
];

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}`;

/** Header lines, or what stands in the query. */
const TRIES: readonly (readonly [name: string, lines: readonly string[], query?: string])[] = [
  ['nothing', []],
  ['the key of a client', [`Authorization: Bearer ${KEY}`]],
  ['the key with a letter too many', [`Authorization: Bearer ${ADMIN_KEY}x`]],
  ['the key with a letter too few', [`Authorization: Bearer ${ADMIN_KEY.slice(0, -1)}`]],
  ['the bare key', [`Authorization: ${ADMIN_KEY}`]],
  ['the key as a password', [basic(`admin:${ADMIN_KEY}`)]],
  ['the key in a header of its own', [`X-Admin-Key: ${ADMIN_KEY}`, `X-Api-Key: ${ADMIN_KEY}`]],
  ['the key in a cookie', [`Cookie: admin=${ADMIN_KEY}; authorization=Bearer ${ADMIN_KEY}`]],
  ['the key in the query', [], `?key=${ADMIN_KEY}&authorization=Bearer%20${ADMIN_KEY}`],
  ['both keys', [`Authorization: Bearer ${KEY}`, `Authorization: Bearer ${ADMIN_KEY}`]],
  ['a key of an operator that has expired', [`Authorization: Bearer ${EXPIRED}`]],
  ['a key of an operator that was revoked', [`Authorization: Bearer ${REVOKED}`]],
];

async function start(): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(answering);
  const gateway = await setup.gateway({
    env: { VLLM_BASE_URL: backend.url, AUTH_KEY: KEY, ADMIN_KEY, KEY_FILE: 'keys.json' },
    files: { 'keys.json': KEY_FILE },
  });
  return { gateway, backend };
}

function ask({ port }: TestGateway, request: string, lines: readonly string[]): Promise<string> {
  return exchangeRaw(
    port,
    [`${request} HTTP/1.1`, 'Host: gateway', 'Connection: close', 'Content-Length: 0', ...lines, '', ''].join(
      '\r\n',
    ),
  );
}

const statusOf = (answer: string): string => answer.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length);

describe('who has no key of an operator', () => {
  it('there are 96 tries', () => {
    expect(ENDPOINTS.length * TRIES.length).toBe(96);
  });

  it.each(TRIES)('gets nowhere with %s', async (_, lines, query = '') => {
    const { gateway, backend } = await start();
    for (const endpoint of ENDPOINTS) {
      const answer = await ask(gateway, endpoint + query, lines);
      expect([endpoint, statusOf(answer)]).toEqual([endpoint, expect.stringMatching(/^40[14]$/)]);
      expect(answer).toContain('"type":"invalid_request_error"');
      for (const secret of [KEY, ADMIN_KEY, EXPIRED, REVOKED]) expect(answer).not.toContain(secret);
    }
    expect(backend.calls).toEqual([]);
    expect(gateway.logs.some(({ message }) => message === 'configuration reloaded')).toBe(false);
  });

  it('is told apart from who has one', async () => {
    const { gateway } = await start();
    const good = [`Authorization: Bearer ${ADMIN_KEY}`];
    expect(statusOf(await ask(gateway, 'GET /api/chat/streams', good))).toBe('200');
    expect(statusOf(await ask(gateway, 'POST /admin/reload', good))).toBe('200');
  });
});

const CLIMBS = [
  '/v1/../admin/reload',
  '/v1/../../admin/reload',
  '/v1/files/../../admin/reload',
  '/v1/files/..%2f..%2fadmin/reload',
  '/v1/files/%2e%2e/%2e%2e/admin/reload',
  '/v1/files/%2E%2E%2Fadmin',
  '/v1/files/.%2e/.%2e/admin/reload',
  '/v1/files/..%5c..%5cadmin',
  '/v1/files/..\\..\\admin',
  '/v1/files/%252e%252e/%252e%252e/admin',
  '/v1/files/%c0%ae%c0%ae/admin',
  '/v1/files/..;/..;/admin',
  '/v1/..;/api/tags',
  '/v1/./files/../../api/delete',
  '/v1//../api/delete',
  '/v1/%2e%2e/api/delete',
  '/v1/%2e%2e%2fapi%2fdelete',
  '/v1/files/%2e%2e',
  '/v1/files/%00/../x',
  '/v1/files/x%0d%0aHost:%20evil',
  '/v1/files/x%23/../y',
  '/v1/files//etc/passwd',
  '/v1/%2fetc%2fpasswd',
  '/v1/models/..%2f..%2fapi%2fdelete',
  '/v1\\..\\admin\\reload',
  '//admin/reload',
];

it('there are 26 paths that climb', () => {
  expect(new Set(CLIMBS).size).toBe(26);
});

it.each(CLIMBS)('with the key of a client, %s leads nowhere', async (path) => {
  const { gateway, backend } = await start();
  for (const method of ['GET', 'POST', 'DELETE']) {
    const answer = await ask(gateway, `${method} ${path}`, [`Authorization: Bearer ${KEY}`]);
    expect([method, statusOf(answer)]).toEqual([method, expect.stringMatching(/^4/)]);
  }
  expect(backend.calls.map((call) => call.path)).toEqual([]);
});
