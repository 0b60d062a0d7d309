/** Raw requests and backends that fail, are slow, or are behind TLS. */

import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/certificate.ts';
import { sleep } from '../../support/load.ts';
import { eventually } from '../../support/setup.ts';
import {
  MB,
  startUpstream,
  listen,
  echo,
  type Echoed,
  startGateway,
  errorOf,
  post,
  closedPort,
  TIMEOUTS,
} from './support.ts';

describe('a backend', () => {
  it.each([
    [401, 'upstream_unauthorized'],
    [403, 'upstream_forbidden'],
    [407, 'upstream_unauthorized'],
  ])('that answers %s has a fault of the gateway’s key, not of the client’s', async (given, code) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(given, { 'content-type': 'application/json', 'www-authenticate': 'Bearer' });
      res.end('{"error":{"message":"Incorrect API key provided: sk-secret","code":"invalid_api_key"}}');
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files`);
    expect(response.headers.has('www-authenticate')).toBe(false);
    const [status, error] = await errorOf(response);
    expect([status, error.code]).toEqual([502, code]);
    expect(error.message).not.toContain('sk-');
  });

  const NO_FILE = { message: 'No such file', type: 'invalid_request_error', param: 'id', code: null };

  it.each([
    ['as OpenAI writes it', 404, NO_FILE, NO_FILE],
    ['that says more', 404, { ...NO_FILE, trace: 'at /srv/app.py', status: 404 }, NO_FILE],
    ['with its status as the code', 404, { ...NO_FILE, code: 404 }, NO_FILE],
    ['with its status as a text', 404, { ...NO_FILE, code: '404' }, NO_FILE],
    [
      'that says little',
      500,
      {},
      {
        message: 'The upstream server answered with status 500.',
        type: 'server_error',
        param: null,
        code: null,
      },
    ],
    [
      'of another form inside',
      422,
      { message: { text: 'x' }, type: null, param: ['a'], code: { x: 1 } },
      {
        message: 'The upstream server answered with status 422.',
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
    ],
    [
      'that tells where the backend is',
      400,
      {
        message: 'POST http://10.1.2.3:8000/x to 10.1.2.3:8000 failed in /srv/app/server.py',
        type: 'error at http://10.1.2.3/',
        param: '/srv/models/m',
        code: '/srv/app/codes',
      },
      {
        message: 'POST [address] to [address] failed in [path]',
        type: 'invalid_request_error',
        param: '[path]',
        code: null,
      },
    ],
  ])('that answers with an error %s has it told in OpenAI’s form', async (_, status, error, told) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(status, { 'content-type': 'text/json', 'set-cookie': 'a=1', 'retry-after': '7' });
      res.end(JSON.stringify({ error }));
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`);
    expect(response.headers.has('set-cookie')).toBe(false);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await errorOf(response)).toEqual([status, told]);
  });

  it.each([
    [405, { allow: 'POST, GET' }, {}, { allow: 'POST, GET' }],
    [405, { allow: 'POST <x>' }, { message: 'no' }, { allow: '' }],
    [405, {}, {}, { allow: '' }],
    [503, {}, { message: 'busy' }, { 'retry-after': '1' }],
    [429, { 'retry-after': '7' }, { message: 'slow down' }, { 'retry-after': '7' }],
    [429, {}, { message: 'slow down' }, { 'retry-after': '1', 'x-should-retry': null }],
    [429, {}, { message: 'spent', code: 'insufficient_quota' }, { 'x-should-retry': 'false' }],
  ])('that answers %s with %j says what to do then', async (status, headers, error, expected) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(status, { 'content-type': 'application/json', ...headers });
      res.end(JSON.stringify({ error }));
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`);
    expect(response.status).toBe(status);
    const told = Object.keys(expected).map((name) => [name, response.headers.get(name)]);
    expect(Object.fromEntries(told)).toEqual(expected);
  });

  it.each([
    ['in OpenAI’s form', (words: string) => ({ error: { message: words } })],
    ['in another', (words: string) => ({ detail: words })],
  ])('that prints into its error what it was told tells no client: %s', async (_, bodyOfWords) => {
    const upstream = await startUpstream((req, res) => {
      const { authorization, 'x-team-key': team, host } = req.headers;
      res.writeHead(400, { 'content-type': 'application/json' });
      res.end(
        JSON.stringify(bodyOfWords(`no: ${String(authorization)}, ${String(team)} at ${String(host)}`)),
      );
    });
    const gateway = await startGateway([
      {
        url: upstream.url.replace('127.0.0.1', 'localhost'),
        apiKey: 'the-key-of-the-backend',
        headers: { 'x-team-key': 'the-key-of-the-team' },
      },
    ]);
    const [status, { message }] = await errorOf(await fetch(`${gateway.url}/v1/files/f`));
    expect([status, message]).toEqual([400, 'no: Bearer [hidden], [hidden] at [hidden]']);
  });

  it('that limits the rate says for how long', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(429, { 'content-type': 'application/json', 'retry-after': '7' });
      res.end(
        '{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}',
      );
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
    await eventually(() => gateway.inFlight() === 0);
    expect((await fetch(`${gateway.url}/v1/files/f`)).status).toBe(429);
  });

  it.each([
    [404, 'application/json', '{"detail":"Not Found"}', 404, 'unknown_url'],
    [405, 'application/json', '{"detail":"Method Not Allowed"}', 405, 'method_not_supported'],
    [422, 'application/json', '{"detail":[{"msg":"field required"}]}', 400, null],
    [429, 'text/plain', 'slow down', 429, 'rate_limit_exceeded'],
    [500, 'text/html', '<h1>Internal Server Error</h1>', 502, 'upstream_error'],
    [502, 'application/json', '{"error":"bad gateway at http://10.0.0.1"}', 502, 'upstream_error'],
    [503, 'text/plain', '', 503, 'server_overloaded'],
    [
      500,
      'application/json',
      JSON.stringify({ error: { message: 'x'.repeat(100_000) } }),
      502,
      'upstream_error',
    ],
  ])('that answers %s as %s has it put into OpenAI’s form', async (given, type, body, expected, code) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(given, { 'content-type': type }).end(body);
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([expected, code]);
    expect(error.message).not.toContain('10.0.0.1');
  });

  it('that breaks off in the middle of an error has failed', async () => {
    const upstream = await startUpstream((req, res) => {
      res.writeHead(500, { 'content-type': 'application/json', 'content-length': '100' }).write('{"error":');
      setTimeout(() => req.socket.destroy(), 20);
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    await expect(fetch(`${gateway.url}/v1/files`).then((response) => response.text())).rejects.toThrow();
    await eventually(() => gateway.logs.length > 0);
    expect(gateway.logs[0]).toMatchObject({ error: { reason: 'upstream_connection_error' } });
  });

  it('that breaks off in the middle of an upload has failed', async () => {
    const upstream = await startUpstream((req) => {
      req.once('data', () => req.socket.resetAndDestroy());
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files`, { method: 'POST', body: Buffer.alloc(20 * MB) });
    const [status, error] = await errorOf(response);
    expect([status, error.code]).toEqual([502, 'upstream_connection_error']);
  });

  it('that refuses connections is unavailable', async () => {
    const gateway = await startGateway([{ url: `http://127.0.0.1:${String(await closedPort())}` }]);
    for (const body of [undefined, JSON.stringify({ input: 'x' }), Buffer.alloc(300_000)]) {
      const response = await fetch(`${gateway.url}/v1/moderations`, {
        method: 'POST',
        headers: { 'content-type': body instanceof Buffer ? 'audio/wav' : 'application/json' },
        ...(body !== undefined && { body }),
      });
      const [status, error] = await errorOf(response);
      expect([status, error.code]).toEqual([502, 'upstream_unavailable']);
      expect(error.message).not.toContain('127.0.0.1');
    }
    expect(gateway.inFlight()).toBe(0);
  });

  it('whose name does not exist is unavailable', async () => {
    const gateway = await startGateway([{ url: 'http://backend.invalid:9' }]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([502, 'upstream_unavailable']);
  });

  it.each([
    ['closes the connection', '', 'upstream_connection_error'],
    ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'upstream_invalid_response'],
  ])('that %s has failed', async (_, words, code) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(words));
    });
    const gateway = await startGateway([{ url: `http://127.0.0.1:${String(await listen(server))}` }]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([502, code]);
  });

  it('that does not begin in time is given up, and its connection closed', async () => {
    let isClosed = false;
    const upstream = await startUpstream((_req, res) => {
      res.on('close', () => {
        isClosed = true;
      });
    });
    const gateway = await startGateway([
      { url: upstream.url, timeouts: { ...TIMEOUTS, firstTokenMs: 1000 } },
    ]);
    const response = fetch(`${gateway.url}/v1/files`);
    await eventually(() => upstream.requests.length === 1);
    await sleep(20);
    gateway.advance(900);
    await sleep(20);
    expect(gateway.inFlight()).toBe(1);
    gateway.advance(200);
    const [status, error] = await errorOf(await response);
    expect([status, error.code]).toEqual([504, 'upstream_first_token_timeout']);
    await eventually(() => isClosed);
  });

  it.each([
    ['that falls silent', { ...TIMEOUTS, idleMs: 1000 }, 'upstream_idle_timeout'],
    ['that takes too long', { ...TIMEOUTS, totalMs: 1000 }, 'upstream_total_timeout'],
  ])('%s in the middle has its client cut off', async (_, timeouts, reason) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    });
    const gateway = await startGateway([{ url: upstream.url, timeouts }]);
    const text = (await fetch(`${gateway.url}/v1/files`)).text();
    await sleep(20);
    gateway.advance(500);
    gateway.advance(1100);
    await expect(text).rejects.toThrow();
    await eventually(() => gateway.logs.length > 0);
    expect(gateway.logs[0]).toMatchObject({ outcome: 'timeout', error: { reason } });
  });

  it('that accepts no connection in time is given up', async () => {
    // TLS to a server that never answers: the connection stands, the handshake does not.
    const silent = createTcpServer((socket) => socket.on('error', () => undefined).resume());
    const gateway = await startGateway([
      { url: `https://127.0.0.1:${String(await listen(silent))}`, timeouts: { ...TIMEOUTS, connectMs: 100 } },
    ]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([504, 'upstream_connect_timeout']);
  });
});

describe('a backend behind TLS', () => {
  async function startTls(): Promise<{ url: string; requests: IncomingMessage[] }> {
    const requests: IncomingMessage[] = [];
    const server = createHttpsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, (req, res) => {
      requests.push(req);
      echo(req, res);
    });
    return { url: `https://localhost:${String(await listen(server))}`, requests };
  }

  it('is asked when its certificate holds', async () => {
    const { url } = await startTls();
    const gateway = await startGateway([
      { url, apiKey: 'backend-key', tls: { ca: TLS_CERTIFICATE, identity: undefined } },
    ]);
    for (let i = 0; i < 2; i++) {
      const echoed = (await (await post(`${gateway.url}/v1/moderations`, { input: 'x' })).json()) as Echoed;
      expect(echoed.body).toBe('{"input":"x"}');
      expect(echoed.headers).toMatchObject({
        host: new URL(url).host,
        authorization: 'Bearer backend-key',
      });
    }
  });

  it('is not when it does not', async () => {
    const { url, requests } = await startTls();
    const gateway = await startGateway([{ url, apiKey: 'backend-key' }]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([502, 'upstream_unavailable']);
    expect(requests).toHaveLength(0);
  });
});
