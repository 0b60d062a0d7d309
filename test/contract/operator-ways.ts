/** How to get each answer of the operator's endpoints, in the order of the document. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { failing, type Script } from '../support/scripted-backend.ts';
import type { GatewayOptions, TestGateway } from '../support/gateway.ts';

/** Starts a gateway in front of one backend, an Ollama called `ollama` unless `env` says otherwise. */
export type Start = (script: Script, options?: GatewayOptions) => Promise<TestGateway>;

type Ways = Record<string, () => Promise<Response>>;

const KEY = 'o'.repeat(32);
const OPERATOR = { authorization: `Bearer ${KEY}` };

/** Loads, unloads and fetches whatever is asked for. */
const obedient: Script = ({ path, res }) => {
  res.setHeader('content-type', 'application/json');
  res.end(path === '/api/pull' ? '{"status":"success"}\n' : '{"done":true,"done_reason":"load"}');
};

const KEYS = JSON.stringify({
  keys: [{ id: 'known', name: 'k', hash: `sha256:${'0'.repeat(64)}`, created: '2026-01-01T00:00:00Z' }],
});

/** A key file of its own for each gateway. */
function keyFile(): GatewayOptions {
  const path = join(mkdtempSync(join(tmpdir(), 'keys-')), 'keys.json');
  writeFileSync(path, KEYS);
  return { env: { KEY_FILE: path } };
}

/** One that can be read and not be written. */
const NO_FOLDER: GatewayOptions = {
  env: { KEY_FILE: '/dev/null/keys.json' },
  files: { '/dev/null/keys.json': KEYS },
};

export function operatorWays(start: Start): Ways {
  const ask =
    (path: string, init: RequestInit = {}, options: GatewayOptions = {}, script = obedient) =>
    async (): Promise<Response> => {
      const env = { ADMIN_KEY: KEY, ...options.env };
      const { url } = await start(script, { ...options, env });
      return fetch(url + path, { headers: OPERATOR, ...init });
    };

  /** 401, 404 without any key, and 405, which all of them have. */
  function waysOf(name: string, others: Ways = {}, url = name.replace(/^\S+ /, '')): Ways {
    const [method = ''] = name.split(' ');
    const ways: Ways = {
      401: ask(url, { method, headers: { authorization: 'Bearer wrong' } }),
      404: ask(url, { method }, { env: { ADMIN_KEY: '' } }),
      405: ask(url, { method: 'PUT' }),
      ...others,
    };
    return Object.fromEntries(Object.entries(ways).map(([status, way]) => [`${name} ${status}`, way]));
  }

  const post = (body: JsonObject, type = 'application/json'): RequestInit => ({
    method: 'POST',
    headers: { ...OPERATOR, 'content-type': type },
    body: JSON.stringify(body),
  });

  function waysOfModel(what: string): Ways {
    const url = `/admin/models/m/${what}`;
    const silent: Script = () => undefined;
    async function tooLate(): Promise<Response> {
      const options = { env: { ADMIN_KEY: KEY, FIRST_TOKEN_TIMEOUT_MS: '50' } };
      const { url: origin } = await start(silent, options);
      return fetch(origin + url, post({}));
    }
    return waysOf(
      `POST /admin/models/{name}/${what}`,
      {
        200: ask(url, { method: 'POST' }),
        400: ask(url, post({ unknown: 1 })),
        404: ask(url, post({ backend: 'nowhere' })),
        413: ask(url, post({ backend: 'x'.repeat(70_000) })),
        415: ask(url, post({}, 'text/plain')),
        502: ask(url, post({}), {}, failing(500, { error: 'it does not fit' })),
        504: tooLate,
      },
      url,
    );
  }

  /** The answer to the operator who ends a request of the id `x` at this path. */
  function cancelled(path: string): () => Promise<Response> {
    return async () => {
      let onCall = (): void => undefined;
      const called = new Promise<void>((resolve) => (onCall = resolve));
      const { url, chat } = await start(() => onCall(), { env: { ADMIN_KEY: KEY } });
      const answer = chat({}, { headers: { 'content-type': 'application/json', 'x-request-id': 'x' } });
      await called;
      const response = await fetch(url + path, { method: 'DELETE', headers: OPERATOR });
      expect((await answer).status).toBe(503);
      return response;
    };
  }

  /** The answer to the operator who has made this of gateway.yaml. */
  function reloaded(file: string): () => Promise<Response> {
    return async () => {
      const { url, rewrite } = await start(obedient, { env: { ADMIN_KEY: KEY } });
      rewrite(file);
      return fetch(`${url}/admin/reload`, { method: 'POST', headers: OPERATOR });
    };
  }

  async function resumedInPart(): Promise<Response> {
    const { url, deps } = await start(obedient, { env: { ADMIN_KEY: KEY } });
    const backend = deps.status()[0]?.backend;
    if (!backend) throw new Error('no backend');
    deps.pool.configure([{ ...backend, name: 'found' }]);
    const order = (name: string): Promise<Response> =>
      fetch(`${url}/admin/backends/${name}`, { method: 'POST', headers: OPERATOR });
    await order(`${backend.group}/drain`);
    return order('found/resume');
  }

  const usage = { env: { USAGE_ENABLED: 'true', USAGE_DIR: '/dev/null/nowhere' } };
  const backendsUrl = (what: string): string => `/admin/backends/ollama/${what}`;

  return {
    ...waysOf('GET /api/chat/streams', { 200: ask('/api/chat/streams') }),
    ...waysOf(
      'DELETE /api/chat/{requestId}',
      { 200: cancelled('/api/chat/x'), 404: ask('/api/chat/x', { method: 'DELETE' }) },
      '/api/chat/x',
    ),
    ...waysOf('GET /admin/backends', { 200: ask('/admin/backends') }),
    ...waysOf(
      'POST /admin/backends/{name}/drain',
      {
        200: ask(backendsUrl('drain'), { method: 'POST' }),
        404: ask('/admin/backends/nowhere/drain', { method: 'POST' }),
      },
      backendsUrl('drain'),
    ),
    ...waysOf(
      'POST /admin/backends/{name}/resume',
      { 200: ask(backendsUrl('resume'), { method: 'POST' }), 400: resumedInPart },
      backendsUrl('resume'),
    ),
    ...waysOf('GET /admin/models', { 200: ask('/admin/models') }),
    ...waysOfModel('warm'),
    ...waysOfModel('unload'),
    ...waysOfModel('pull'),
    ...waysOf('GET /admin/streams', { 200: ask('/admin/streams') }),
    ...waysOf(
      'DELETE /admin/streams/{requestId}',
      { 200: cancelled('/admin/streams/x'), 404: ask('/admin/streams/x', { method: 'DELETE' }) },
      '/admin/streams/x',
    ),
    ...waysOf('GET /admin/usage', {
      200: ask('/admin/usage', {}, usage),
      400: ask('/admin/usage?from=yesterday'),
    }),
    ...waysOf('GET /admin/keys', { 200: ask('/admin/keys'), 405: ask('/admin/keys', { method: 'PUT' }) }),
    ...waysOf('POST /admin/keys', {
      201: ask('/admin/keys', post({ name: 'new' }), keyFile()),
      400: ask('/admin/keys', post({}), keyFile()),
      413: ask('/admin/keys', post({ name: 'x'.repeat(70_000) }), keyFile()),
      415: ask('/admin/keys', post({ name: 'new' }, 'text/plain'), keyFile()),
      500: ask('/admin/keys', post({ name: 'new' }), NO_FOLDER),
    }),
    ...waysOf(
      'DELETE /admin/keys/{id}',
      {
        200: ask('/admin/keys/known', { method: 'DELETE' }, keyFile()),
        400: ask('/admin/keys/admin', { method: 'DELETE' }, keyFile()),
        404: ask('/admin/keys/nobody', { method: 'DELETE' }, keyFile()),
        500: ask('/admin/keys/known', { method: 'DELETE' }, NO_FOLDER),
      },
      '/admin/keys/known',
    ),
    ...waysOf(
      'POST /admin/keys/{id}/rotate',
      {
        200: ask('/admin/keys/known/rotate', { method: 'POST' }, keyFile()),
        400: ask('/admin/keys/known/rotate', post({ graceMs: -1 }), keyFile()),
        404: ask('/admin/keys/nobody/rotate', { method: 'POST' }, keyFile()),
        413: ask('/admin/keys/known/rotate', post({ expires: 'x'.repeat(70_000) }), keyFile()),
        415: ask('/admin/keys/known/rotate', post({}, 'text/plain'), keyFile()),
        500: ask('/admin/keys/known/rotate', { method: 'POST' }, NO_FOLDER),
      },
      '/admin/keys/known/rotate',
    ),
    ...waysOf('GET /admin/config', { 200: ask('/admin/config') }),
    ...waysOf('POST /admin/reload', { 200: reloaded(''), 409: reloaded('strict: perhaps') }),
    ...waysOf('POST /admin/route/explain', {
      200: ask('/admin/route/explain', post({ model: 'm' })),
      400: ask('/admin/route/explain', post({})),
      404: ask('/admin/route/explain', post({ model: 'm' }), { env: { ADMIN_KEY: '' } }),
      413: ask('/admin/route/explain', post({ model: 'm' }), { env: { BODY_LIMIT: '10' } }),
      415: ask('/admin/route/explain', post({ model: 'm' }, 'text/plain')),
    }),
  };
}
