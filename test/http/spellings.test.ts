/** Other spellings of a path: none leads past the key, past the rule for models, or to the operator's endpoints. */

import { expect, it } from '@jest/globals';
import { exchangeRaw } from '../support/raw-client.ts';
import { saying, type ScriptedBackend } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import type { TestGateway } from '../support/gateway.ts';

const setup = createSetup();
const KEY = 'a-key-for-certain-models-and-no-others';
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const FILE = `
auth:
  clients:
    - { name: restricted, key: ${KEY}, models: [open] }
    - { name: everything, key: ${KEY}-all }`;
const QUESTION = { messages: [{ role: 'user', content: 'hi' }], prompt: 'hi', input: 'hi' };

async function start(): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('x'), { models: ['open', 'secret'] });
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, ADMIN_KEY }, file: FILE });
  return { gateway, backend };
}

/** Ways to write a path that some server somewhere takes for the same. */
const spellingsOf = (path: string): string[] => [
  path,
  `${path}/`,
  path.toUpperCase(),
  path.replace('/v1', '/V1'),
  `/${path}`,
  `//${path}`,
  path.replaceAll('/', '//'),
  path.replace(/\/([^/]+)$/, '//$1'),
  path.replace(/\/([^/]+)$/, '%2f$1'),
  path.replaceAll('/', '%2F').replace('%2F', '/'),
  path.replace(/([^/])$/, (last) => `%${last.charCodeAt(0).toString(16)}`),
  path.replace(/^\/(.)/, (_, first: string) => `/%${first.charCodeAt(0).toString(16)}`),
  path.replace(/\/([^/]+)$/, '/./$1'),
  path.replace(/\/([^/]+)$/, '/x/../$1'),
  path.replace(/\/([^/]+)$/, '/x/%2e%2e/$1'),
  `/health/..${path}`,
  `/health/%2e%2e${path}`,
  `/health;${path}`,
  `${path};a=b`,
  `${path}%00`,
  `${path}%20`,
  `${path}.json`,
  `${path}?/health`,
  `${path}#/health`,
  path.replaceAll('/', '\\'),
  `http://gateway${path}`,
  `http://gateway/health/..${path}`,
];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

function requestOf(method: string, path: string, lines: readonly string[], body: string): string {
  return [
    `${method} ${path} HTTP/1.1`,
    'Host: gateway',
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${String(body.length)}`,
    ...lines,
    '',
    body,
  ].join('\r\n');
}

it.each([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/models',
  '/v1/models/open',
  '/v1/files',
])('no spelling leads past the key to %s', async (path) => {
  const { gateway, backend } = await start();
  const body = JSON.stringify({ model: 'open', ...QUESTION });
  for (const spelling of spellingsOf(path)) {
    for (const method of METHODS) {
      const answer = await exchangeRaw(gateway.port, requestOf(method, spelling, [], body));
      expect(`${method} ${spelling} ${answer.slice(9, 12)}`).toMatch(/ 4\d\d$/);
    }
  }
  expect(backend.calls).toEqual([]);
});

it.each(['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses'])(
  'no spelling leads a key to another model on %s',
  async (path) => {
    const { gateway, backend } = await start();
    const body = JSON.stringify({ model: 'secret', ...QUESTION });
    for (const spelling of spellingsOf(path)) {
      const request = requestOf('POST', spelling, [`Authorization: Bearer ${KEY}`], body);
      const answer = await exchangeRaw(gateway.port, request);
      expect(`${spelling} ${answer.slice(9, 12)}`).toMatch(/ 4\d\d$/);
    }
    expect(backend.calls).toEqual([]);
  },
);

it.each(['/api/chat/streams', '/api/chat/some-id', '/admin/reload'])(
  'no spelling leads the key of a client to %s',
  async (path) => {
    const { gateway } = await start();
    for (const spelling of spellingsOf(path)) {
      for (const method of METHODS) {
        for (const key of ['', `${KEY}-all`, `${ADMIN_KEY}x`]) {
          const request = requestOf(method, spelling, [`Authorization: Bearer ${key}`], '');
          const answer = await exchangeRaw(gateway.port, request);
          expect(`${method} ${spelling} ${answer.slice(9, 12)}`).toMatch(/ 4\d\d$/);
        }
      }
    }
  },
);
