/** What crosses the gateway: no name of a host goes in, no credential goes through, nothing of the inside comes out. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answering } from '../../support/answering.ts';
import { exchangeRaw } from '../../support/raw-client.ts';
import { failing, openaiChunk, saying, sse, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const KEY = 'sk-client-0123456789abcdef0123456789';
const BACKEND_KEY = 'sk-backend-0123456789abcdef012345678';

/** Somebody inside whom nobody may reach: counts who knocks. */
const canary = { knocks: 0, port: 0, server: createServer() };

beforeEach(async () => {
  canary.knocks = 0;
  canary.server = createServer((socket) => {
    canary.knocks++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(canary.server, 'listening');
  canary.port = (canary.server.address() as AddressInfo).port;
});
afterEach(() => {
  canary.server.close();
});

async function start(
  variable: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(answering);
  const gateway = await setup.gateway({
    env: { [variable]: backend.url, OPENAI_API_KEY: BACKEND_KEY, AUTH_KEY: KEY, ...more },
  });
  return { gateway, backend };
}

const QUESTION = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

/** In its own bytes, for what no client library sends. */
function post(
  { port }: TestGateway,
  path: string,
  lines: readonly string[],
  body: object = QUESTION,
): Promise<string> {
  const text = Buffer.from(JSON.stringify(body)).toString('latin1');
  return exchangeRaw(
    port,
    [
      `POST ${path} HTTP/1.1`,
      ...(lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: gateway']),
      'Content-Type: application/json',
      `Authorization: Bearer ${KEY}`,
      `Content-Length: ${String(text.length)}`,
      ...lines,
      ...(lines.some((line) => /^connection:/i.test(line)) ? [] : ['Connection: close']),
      '',
      text,
    ].join('\r\n'),
  );
}

/** CVE-2025-66405 of one gateway, and what others listen to. */
const HOST_HEADERS = [
  'Host',
  'X-Forwarded-Host',
  'X-Forwarded-Server',
  'X-Forwarded-For',
  'Forwarded',
  'X-Host',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-HTTP-Host-Override',
  'X-Portkey-Custom-Host',
  'X-Base-URL',
  'OpenAI-Base-URL',
  'Proxy-Host',
];

/** CVE-2024-6587 of another, and its relatives. */
const HOST_MEMBERS = [
  'api_base',
  'base_url',
  'baseURL',
  'api_url',
  'endpoint',
  'host',
  'custom_host',
  'proxy',
  'azure_endpoint',
  'litellm_params',
];

const PATHS = ['/v1/chat/completions', '/v1/embeddings', '/v1/responses'];

describe('no word of a client names a host', () => {
  it.each(HOST_HEADERS)('not the header %s', async (name) => {
    const { gateway, backend } = await start('OPENAI_BASE_URL');
    const address = `127.0.0.1:${String(canary.port)}`;
    const values =
      name === 'Forwarded'
        ? [`host=${address};proto=http`]
        : [address, `http://${address}/v1/chat/completions`];
    for (const path of PATHS) {
      for (const value of values) {
        const answer = await post(gateway, path, [`${name}: ${value}`], { ...QUESTION, input: 'a' });
        // Node refuses a Host that is none.
        expect(answer).toMatch(/^HTTP\/1\.1 (200|400)/);
      }
    }
    expect(canary.knocks).toBe(0);
    for (const { headers } of backend.calls) {
      expect(headers.host).toBe(`127.0.0.1:${String(backend.port)}`);
      expect(JSON.stringify(headers)).not.toContain(String(canary.port));
    }
    expect(backend.calls.length).toBeGreaterThanOrEqual(PATHS.length);
  });

  it.each(HOST_MEMBERS)('not the member %s of a body', async (name) => {
    const { gateway, backend } = await start('OPENAI_BASE_URL');
    const url = `http://127.0.0.1:${String(canary.port)}/v1`;
    for (const path of PATHS) {
      for (const value of [url, { api_base: url, url }]) {
        const answer = await post(gateway, path, [], { ...QUESTION, input: 'a', [name]: value });
        expect(answer).toMatch(/^HTTP\/1\.1 200/);
      }
    }
    expect(canary.knocks).toBe(0);
    expect(backend.calls).toHaveLength(PATHS.length * 2);
  });

  it.each([
    'http://127.0.0.1:PORT/a.png',
    'http://127.1:PORT/a.png',
    'http://0x7f000001:PORT/a.png',
    'http://2130706433:PORT/a.png',
    'http://0177.0.0.1:PORT/a.png',
    'http://0:PORT/a.png',
    'http://[::1]:PORT/a.png',
    'http://[::ffff:127.0.0.1]:PORT/a.png',
    'http://localhost:PORT/a.png',
    'http://localhost.:PORT/a.png',
    'http://①②⑦.⓪.⓪.①:PORT/a.png',
    'http://user@127.0.0.1:PORT/a.png',
    'http:\\\\127.0.0.1:PORT\\a.png',
    'HTTP://127.0.0.1:PORT/a.png#http://example.com',
    'gopher://127.0.0.1:PORT/a.png',
    'file:///etc/passwd',
  ])('not the address of an image: %s', async (url) => {
    const { gateway, backend } = await start('OLLAMA_BASE_URL');
    const part = { type: 'image_url', image_url: { url: url.replace('PORT', String(canary.port)) } };
    const answer = await post(gateway, '/v1/chat/completions', [], {
      model: 'm',
      messages: [{ role: 'user', content: [part] }],
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(answer).not.toMatch(/ECONN|root:/);
    expect(canary.knocks).toBe(0);
    expect(backend.calls).toEqual([]);
  });
});

describe('a redirect of a backend', () => {
  it.each([301, 302, 303, 307, 308])('%i is not followed, by a surface or raw', async (status) => {
    for (const [variable] of [['OLLAMA_BASE_URL'], ['OPENAI_BASE_URL']] as const) {
      const { gateway, backend } = await start(variable);
      const location = `http://127.0.0.1:${String(canary.port)}/v1/chat/completions`;
      backend.script(failing(status, '', { location }));
      const answer = await post(gateway, '/v1/chat/completions', []);
      expect(answer).toMatch(/^HTTP\/1\.1 502/);
      expect(answer).not.toContain(String(canary.port));
      if (variable === 'OLLAMA_BASE_URL') continue;
      const raw = await post(gateway, '/v1/responses', []);
      expect(raw.startsWith(`HTTP/1.1 ${String(status)}`)).toBe(true);
      expect(raw).not.toContain(String(canary.port));
    }
    expect(canary.knocks).toBe(0);
  });
});

/** RFC 9110, section 7.6.1, and what names a person, a place or a secret. */
const PRIVATE_LINES = [
  'Cookie: session=secret-of-the-client',
  'Proxy-Authorization: Basic c2VjcmV0LW9mLXRoZS1jbGllbnQ=',
  'X-Api-Key: secret-of-the-client',
  'Api-Key: secret-of-the-client',
  'X-Goog-Api-Key: secret-of-the-client',
  'Connection: close, x-private',
  'X-Private: secret-of-the-client',
  'Keep-Alive: timeout=secret-of-the-client',
  'TE: trailers',
  'Trailer: secret-of-the-client',
  'Upgrade: secret-of-the-client',
  'Proxy-Connection: secret-of-the-client',
  'Origin: https://secret-of-the-client.example',
  'Referer: https://secret-of-the-client.example/a',
  'X-Forwarded-For: 10.9.8.7',
  'X-Real-Ip: 10.9.8.7',
  'Traceparent: secret-of-the-client',
];

it.each([...PATHS, '/v1/completions'])(
  'no credential, cookie or hop-by-hop header goes on from %s',
  async (path) => {
    const { gateway, backend } = await start('OPENAI_BASE_URL');
    const answer = await post(gateway, path, PRIVATE_LINES, { ...QUESTION, prompt: 'a', input: 'a' });
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    const [call] = backend.calls;
    expect(call?.headers.authorization).toBe(`Bearer ${BACKEND_KEY}`);
    const sent = JSON.stringify(call?.headers);
    for (const secret of ['secret-of-the-client', 'c2VjcmV0', KEY, '10.9.8.7'])
      expect(sent).not.toContain(secret);
    for (const name of ['te', 'trailer', 'upgrade', 'keep-alive', 'cookie', 'x-private', 'origin', 'referer'])
      expect(call?.headers).not.toHaveProperty(name);
  },
);

const INSIDE_HEADERS = {
  'set-cookie': 'inside=1',
  server: 'uvicorn-inside',
  via: '1.1 inside',
  'x-powered-by': 'inside',
  'x-served-by': 'gpu-07.inside',
  'x-envoy-upstream-service-time': '7',
  'x-upstream-address': '10.1.2.3:8000',
  'access-control-allow-origin': '*',
  'access-control-allow-credentials': 'true',
  'strict-transport-security': 'max-age=1',
  'content-security-policy': "default-src 'self' inside",
  'www-authenticate': 'Basic realm="inside"',
  location: 'http://10.1.2.3:8000/inside',
  link: '<http://10.1.2.3/inside>',
  'alt-svc': 'h3="inside:443"',
};

it.each(KINDS_OF_STREAM)(
  'nothing of the inside comes back from %s: headers, addresses, keys',
  async (_, variable) => {
    const { gateway, backend } = await start(variable);
    const inside = /inside|10\.1\.2\.3|uvicorn|set-cookie|sk-backend|gpu-07|\/srv\/models|127\.0\.0\.1/i;
    for (const status of [200, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503]) {
      const message = `at http://10.1.2.3:8000/v1 (/srv/models/llama) with ${BACKEND_KEY}`;
      const body = status === 200 ? '{"id":"c","choices":[]}' : { error: { message, type: 'x', code: 'y' } };
      backend.script(failing(status, body, INSIDE_HEADERS));
      for (const path of PATHS.filter((each) => variable !== 'OLLAMA_BASE_URL' || each !== '/v1/responses')) {
        for (const stream of [false, true]) {
          const answer = await post(gateway, path, [], { ...QUESTION, input: 'a', stream });
          expect(`${path} ${String(status)} ${answer}`).not.toMatch(inside);
        }
      }
    }
  },
);

it('cookies of a backend never come back, streamed or not, and are never kept', async () => {
  const { gateway, backend } = await start('OPENAI_BASE_URL');
  backend.script(async (call) => {
    call.res.setHeader('set-cookie', 'session=of-the-backend');
    await saying('x')(call);
  });
  for (const stream of [false, true]) {
    expect(await post(gateway, '/v1/chat/completions', [], { ...QUESTION, stream })).not.toMatch(
      /set-cookie|session/i,
    );
  }
  for (const { headers } of backend.calls) expect(headers).not.toHaveProperty('cookie');
});

it.each(['plain-secret-of-the-gateway', BACKEND_KEY])(
  'a backend that tells the key it was given does not tell the client: %s',
  async (secret) => {
    const { gateway, backend } = await start('OPENAI_BASE_URL', { OPENAI_API_KEY: secret });
    for (const status of [400, 409, 422, 429, 500, 503]) {
      backend.script(failing(status, { error: { message: `you sent (${secret})`, type: 'x' } }));
      for (const path of PATHS) {
        const answer = await post(gateway, path, [], { ...QUESTION, input: 'a' });
        expect(`${path} ${String(status)} ${answer}`).not.toContain(secret);
      }
    }
    expect(backend.calls[0]?.headers.authorization).toBe(`Bearer ${secret}`);
  },
);

it('nor in the middle of a stream, where it has the form of a key', async () => {
  const { gateway, backend } = await start('OPENAI_BASE_URL');
  backend.script(({ res, end }) => {
    res.setHeader('content-type', 'text/event-stream');
    end(openaiChunk({ content: 'a' }) + sse({ error: { message: `bad key ${BACKEND_KEY}`, code: 500 } }));
  });
  const answer = await post(gateway, '/v1/chat/completions', [], { ...QUESTION, stream: true });
  expect(answer).toContain('bad key [hidden]');
  expect(answer).not.toContain(BACKEND_KEY);
});
