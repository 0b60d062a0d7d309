/** Who gets at the operator's endpoints: nobody without the operator's key, by whatever path. */

import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { find, operation, operationNames } from '../../contract/document.ts';
import { expectAnswer } from '../../contract/answers.ts';
import { ADMIN_KEY, askAsOperator } from '../../support/operator.ts';
import { saying } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';

const setup = createSetup();
const CLIENT_KEY = 'a-client-has-another-key-of-32-characters';
const SECOND_KEY = 'and-a-second-client-has-a-third';
const ENV = { ADMIN_KEY, AUTH_KEY: CLIENT_KEY, API_KEYS: SECOND_KEY };

/** Every operation of the document that wants the operator's key. */
const OPERATIONS = operationNames().filter(
  (name) => JSON.stringify(find(['security'], operation(name))?.value) === '[{"adminKey":[]}]',
);

const BAD_CREDENTIALS: Readonly<Record<string, string>> = {
  'no key': '',
  'a key of a client': `Bearer ${CLIENT_KEY}`,
  'a key of another client': `Bearer ${SECOND_KEY}`,
  'a wrong key': `Bearer ${'x'.repeat(ADMIN_KEY.length)}`,
  'the beginning of the key': `Bearer ${ADMIN_KEY.slice(0, -1)}`,
  'more than the key': `Bearer ${ADMIN_KEY}x`,
  'another scheme': `Basic ${Buffer.from(`admin:${ADMIN_KEY}`).toString('base64')}`,
  'the bare key': ADMIN_KEY,
};

const urlOf = (name: string): string => name.replace(/^\S+ /, '').replace(/\{\w+\}/, 'm');

describe('the endpoints of the operator', () => {
  it('are closed to every credential but the operator’s, and answer nothing of the inside', async () => {
    const backend = await setup.backend(saying('x'));
    const { url, deps } = await setup.gateway({ env: { ...ENV, OLLAMA_BASE_URL: backend.url } });
    const statusBefore = JSON.stringify(deps.status());
    let tries = 0;
    for (const name of OPERATIONS) {
      const [method = ''] = name.split(' ');
      for (const [sort, authorization] of Object.entries(BAD_CREDENTIALS)) {
        tries++;
        const response = await fetch(url + urlOf(name), { method, headers: { authorization } });
        const { status, body } = await expectAnswer(name, response);
        expect({ name, sort, status }).toEqual({ name, sort, status: 401 });
        expect(Object.keys(body as object)).toEqual(['error']);
      }
    }
    expect(tries).toBeGreaterThanOrEqual(96);
    expect(backend.calls).toHaveLength(0);
    expect(JSON.stringify(deps.status())).toBe(statusBefore);
  });

  it('answer before the body is read', async () => {
    const backend = await setup.backend(saying('x'));
    const { port } = await setup.gateway({ env: { ...ENV, OLLAMA_BASE_URL: backend.url } });
    const head = 'POST /admin/route/explain HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    expect(await send(port, `${head}content-length: 1000000\r\n\r\n`)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('do not make a client of the operator', async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await setup.gateway({ env: { ...ENV, OLLAMA_BASE_URL: backend.url } });
    expect((await askAsOperator(`${url}/v1/models`)).status).toBe(401);
  });

  it('are not there without a key of the operator', async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    for (const name of OPERATIONS) {
      const [method = ''] = name.split(' ');
      expect((await expectAnswer(name, await fetch(url + urlOf(name), { method }))).status).toBe(404);
    }
  });
});

/** Ways around a guard that others have had. */
const TRAVERSALS = [
  '/v1/../admin/config',
  '/v1/./../admin/config',
  '/v1/../../admin/config',
  '/v1/%2e%2e/admin/config',
  '/v1/%2E%2E/admin/config',
  '/v1/..%2fadmin/config',
  '/v1/..%2Fadmin%2Fconfig',
  '/v1/%2e%2e%2fadmin%2fconfig',
  '/v1/..%5cadmin%5cconfig',
  '/v1/..\\admin\\config',
  '/v1/..;/admin/config',
  '/v1/;/../admin/config',
  '/v1//../admin/config',
  '/v1/%252e%252e/admin/config',
  '/v1/..%00/admin/config',
  '/v1/..%c0%af..%c0%afadmin/config',
  '/v1/..%u2215admin/config',
  '/v1/admin/../../admin/config',
  '/v1/models/../../admin/config',
  '/v1/models/..%2f..%2fadmin%2fconfig',
  '/health/../admin/config',
  '/.//admin/config',
  '//admin/config',
  '/ADMIN/config/',
  '/%61dmin/config',
  '/admin/..;/admin/config',
  '/admin/models/..%2f..%2fconfig/warm',
  'http://127.0.0.1/admin/config',
] as const;

describe('paths that lead astray', () => {
  it.each([
    ['OPENAI_BASE_URL', 'GET'],
    ['OPENAI_BASE_URL', 'POST'],
    ['OLLAMA_BASE_URL', 'GET'],
  ])('open nothing and reach no backend (%s, %s)', async (variable, method) => {
    const backend = await setup.backend(saying('x'));
    const { port } = await setup.gateway({ env: { ...ENV, [variable]: backend.url } });
    expect(TRAVERSALS.length).toBeGreaterThanOrEqual(26);
    for (const path of TRAVERSALS) {
      const answer = await send(
        port,
        `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\nconnection: close\r\n` +
          'content-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
      );
      const [, status] = /^HTTP\/1\.1 (\d+) /.exec(answer) ?? [];
      expect({ path, isRefused: ['400', '401', '404', '405'].includes(status ?? '') }).toEqual({
        path,
        isRefused: true,
      });
      expect(answer).not.toContain('"settings"');
    }
    expect(backend.calls).toHaveLength(0);
  });
});

describe('a port of its own', () => {
  it('has the operator’s endpoints and the metrics, and the port of clients has them no more', async () => {
    const backend = await setup.backend(saying('x'));
    const { url, adminUrl, chat } = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY, ADMIN_PORT: '0' },
    });
    expect(adminUrl).not.toBe(url);
    expect((await chat()).status).toBe(200);
    for (const name of OPERATIONS.filter((each) => each.startsWith('GET') && !each.endsWith('/usage'))) {
      const path = urlOf(name);
      expect((await expectAnswer(name, await askAsOperator(adminUrl + path))).status).toBe(200);
      expect((await expectAnswer(name, await askAsOperator(url + path))).status).toBe(404);
    }
    const statuses = async (path: string): Promise<number[]> =>
      Promise.all([url, adminUrl].map(async (origin) => (await fetch(origin + path)).status));
    expect(await statuses('/metrics')).toEqual([404, 200]);
    expect(await statuses('/v1/models')).toEqual([200, 404]);
    for (const path of ['/health', '/healthz', '/livez', '/readyz', '/openapi.yaml']) {
      expect(await statuses(path)).toEqual([200, 200]);
    }
    expect((await fetch(`${adminUrl}/admin/backends`)).status).toBe(401);
  });

  it('counts the requests of clients in its metrics, and drains with the other', async () => {
    const backend = await setup.backend(saying('x'));
    const { adminUrl, chat, drain } = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY, ADMIN_PORT: '0' },
    });
    await (await chat({ stream: true })).text();
    const text = await (await fetch(`${adminUrl}/metrics`)).text();
    expect(text).toMatch(/^ai_gateway_streams_total\{status="completed"\} 1$/m);
    await drain(0);
    await expect(fetch(`${adminUrl}/health`)).rejects.toThrow();
  });

  it('may not be that of clients', async () => {
    const env = { OLLAMA_BASE_URL: 'http://127.0.0.1:9', PORT: '4000', ADMIN_PORT: '4000' };
    await expect(setup.gateway({ env })).rejects.toThrow('server.adminPort: 4000 is the port of clients');
  });
});

/** Bytes as they stand: `fetch` would tidy up the path. Resolves with all that comes back. */
function send(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      answer += text;
      // The rest of a body that was announced never comes.
      if (bytes.includes('content-length: 1000000')) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
