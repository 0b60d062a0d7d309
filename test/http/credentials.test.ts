/** Bad credentials on every road in: 401 in OpenAI's form, and nothing reaches a backend. */

import { describe, expect, it } from '@jest/globals';
import { printKey } from '../../src/core/api-key.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { exchangeRaw } from '../support/raw-client.ts';
import { saying, type ScriptedBackend } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import type { TestGateway } from '../support/gateway.ts';

const setup = createSetup();
const KEY = 'sk-a-key-of-at-least-thirty-two-characters';
const OWN_KEY = printKey(Uint8Array.from({ length: 32 }, (_, i) => i));
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const REVOKED = 'a-key-that-was-revoked-some-time-ago';
const EXPIRED = 'a-key-that-was-good-for-a-while';
const ROTATED = 'a-key-that-was-replaced-by-another';

const KEY_FILE = JSON.stringify({
  keys: [
    { name: 'own', hash: hashKey(OWN_KEY) },
    { name: 'revoked', hash: hashKey(REVOKED), revoked: '2026-01-02T00:00:00Z' },
    { name: 'expired', hash: hashKey(EXPIRED), expires: '2026-01-02' },
    {
      name: 'rotated',
      hash: hashKey('its new key'),
      previous: [{ hash: hashKey(ROTATED), expires: '2026-01-02T00:00:00Z' }],
    },
  ].map((key) => ({ id: `key_${key.name}`, created: '2026-01-01T00:00:00Z', ...key })),
});

const garbled = OWN_KEY.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Header lines, and what may stand in the path instead. */
const BAD: readonly (readonly [name: string, lines: readonly string[], query?: string])[] = [
  ['no header', []],
  ['an empty header', ['Authorization:']],
  ['a scheme without a key', ['Authorization: Bearer']],
  ['a scheme and spaces', ['Authorization: Bearer      ']],
  ['a bare key', [`Authorization: ${KEY}`]],
  ['Basic with the key as password', [`Authorization: Basic ${base64(`user:${KEY}`)}`]],
  ['Basic with the bare key', [`Authorization: Basic ${KEY}`]],
  ['Digest', [`Authorization: Digest username="${KEY}"`]],
  ['Token', [`Authorization: Token ${KEY}`]],
  ['ApiKey', [`Authorization: ApiKey ${KEY}`]],
  ['two schemes', [`Authorization: Bearer Bearer ${KEY}`]],
  ['a colon after the scheme', [`Authorization: Bearer: ${KEY}`]],
  ['a tab after the scheme', [`Authorization: Bearer\t${KEY}`]],
  ['a scheme of other letters', [`Authorization: Be\u00e4rer ${KEY}`]],
  ['an unknown key', ['Authorization: Bearer sk-unknown-and-long-enough-to-be-one']],
  ['a key that lacks its last character', [`Authorization: Bearer ${KEY.slice(0, -1)}`]],
  ['a key with one character more', [`Authorization: Bearer ${KEY}x`]],
  ['a key in capitals', [`Authorization: Bearer ${KEY.toUpperCase()}`]],
  ['a key in quotes', [`Authorization: Bearer "${KEY}"`]],
  ['a key with a hard space', [`Authorization: Bearer \u00a0${KEY}`]],
  ['a key that is percent-encoded', [`Authorization: Bearer ${KEY.replaceAll('-', '%2D')}`]],
  ['two keys', [`Authorization: Bearer ${KEY} ${KEY}`]],
  ['a list of keys', [`Authorization: Bearer ${KEY},${KEY}`]],
  ['a good header and a bad one', [`Authorization: Bearer ${KEY}`, 'Authorization: Bearer x']],
  ['a bad header and a good one', ['Authorization: Bearer x', `Authorization: Bearer ${KEY}`]],
  ['a good header twice', [`Authorization: Bearer ${KEY}`, `authorization: Bearer ${KEY}`]],
  ['a good header and an empty one', [`Authorization: Bearer ${KEY}`, 'Authorization:']],
  ['a garbled key of our own form', [`Authorization: Bearer ${garbled}`]],
  ['a revoked key', [`Authorization: Bearer ${REVOKED}`]],
  ['an expired key', [`Authorization: Bearer ${EXPIRED}`]],
  ['a replaced key after its time', [`Authorization: Bearer ${ROTATED}`]],
  ['the hash of a key', [`Authorization: Bearer ${hashKey(KEY)}`]],
  ['the digits of that hash', [`Authorization: Bearer ${hashKey(KEY).slice(7)}`]],
  ['the key of the operator', [`Authorization: Bearer ${ADMIN_KEY}`]],
  ['a very long key', [`Authorization: Bearer ${'k'.repeat(8000)}`]],
  ['SQL', [`Authorization: Bearer ' OR '1'='1' --`]],
  ['the name of a prototype', ['Authorization: Bearer __proto__']],
  ['undefined', ['Authorization: Bearer undefined']],
  ['x-api-key', [`X-Api-Key: ${KEY}`]],
  ['api-key', [`Api-Key: ${KEY}`]],
  ['Proxy-Authorization', [`Proxy-Authorization: Bearer ${KEY}`]],
  ['a cookie', [`Cookie: authorization=Bearer ${KEY}; api_key=${KEY}`]],
  ['api_key in the query', [], `?api_key=${KEY}`],
  ['authorization in the query', [], `?authorization=Bearer%20${KEY}`],
  ['access_token in the query', [], `?access_token=${KEY}&key=${KEY}`],
];

const ROUTES = [
  'POST /v1/chat/completions',
  'POST /v1/completions',
  'POST /v1/embeddings',
  'POST /v1/responses',
  'GET /v1/models',
  'GET /v1/models/m',
  'DELETE /v1/files/x',
] as const;

const BODY = JSON.stringify({
  model: 'm',
  messages: [{ role: 'user', content: 'hi' }],
  prompt: 'a',
  input: 'a',
});

function requestOf(route: string, lines: readonly string[], query = ''): string {
  const [method = '', path = ''] = route.split(' ');
  const body = method === 'POST' ? BODY : '';
  return [
    `${method} ${path}${query} HTTP/1.1`,
    'Host: gateway',
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${String(body.length)}`,
    ...lines,
    '',
    body,
  ].join('\r\n');
}

async function start(): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({
    env: { VLLM_BASE_URL: backend.url, AUTH_KEY: KEY, ADMIN_KEY, KEY_FILE: 'keys.json' },
    files: { 'keys.json': KEY_FILE },
  });
  return { gateway, backend };
}

describe('who has no good key', () => {
  it.each(ROUTES)('gets nowhere with %s, whatever it tries', async (route) => {
    const { gateway, backend } = await start();
    for (const [name, lines, query] of BAD) {
      const answer = await exchangeRaw(gateway.port, requestOf(route, lines, query));
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      expect([name, head.slice(0, 'HTTP/1.1 401'.length)]).toEqual([name, 'HTTP/1.1 401']);
      const { code } = (JSON.parse(body) as { error: { code: unknown } }).error;
      expect(JSON.parse(body)).toEqual({
        error: {
          message: expect.stringMatching(/API key/),
          type: 'invalid_request_error',
          param: null,
          code: code === null ? null : 'invalid_api_key',
        },
      });
      for (const secret of [KEY, garbled, REVOKED, hashKey(KEY).slice(7)])
        expect(answer).not.toContain(secret);
    }
    expect(backend.calls).toEqual([]);
    await eventually(() => gateway.logs.filter(({ message }) => message === 'request').length === BAD.length);
    const logs = JSON.stringify(gateway.logs);
    for (const secret of [KEY, garbled, REVOKED, EXPIRED, ADMIN_KEY]) expect(logs).not.toContain(secret);
  });

  it('is told apart from who has one, on the same routes', async () => {
    const { gateway, backend } = await start();
    for (const key of [KEY, OWN_KEY]) {
      const answer = await exchangeRaw(
        gateway.port,
        requestOf('POST /v1/chat/completions', [`Authorization: Bearer ${key}`]),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200/);
    }
    expect(backend.calls).toHaveLength(2);
  });
});
