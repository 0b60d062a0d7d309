/** Paths that the gateway does not model: raw to a backend and raw back, over real sockets. */

import { createHash, randomBytes } from 'node:crypto';
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { createKeyring } from '../../src/admission/keyring.ts';
import { mayUse } from '../../src/admission/models.ts';
import { ANONYMOUS } from '../../src/core/client.ts';
import { kinds } from '../../src/backends/index.ts';
import { toBackend } from '../../src/config/load.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Logger } from '../../src/core/exchange.ts';
import type { Alias, Backend, KindName } from '../../src/core/fleet.ts';
import { createUntraced } from '../../src/gateway/untraced.ts';
import { createWatch } from '../../src/gateway/watch.ts';
import { authenticate } from '../../src/http/authenticate.ts';
import { context } from '../../src/http/context.ts';
import { errors, notFound } from '../../src/http/errors.ts';
import { passthrough } from '../../src/http/passthrough.ts';
import type { Generation } from '../../src/http/generation.ts';
import { createAgents } from '../../src/node/agents.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { createServer } from '../../src/node/server.ts';
import { createCatalog } from '../../src/routing/catalog.ts';
import { createPool } from '../../src/routing/pool.ts';
import { errorBody } from '../../src/surfaces/errors.ts';
import { TLS_CERTIFICATE, TLS_KEY } from '../support/certificate.ts';
import { NO_LIMITS, POOL_SETTINGS, SERVER_SETTINGS } from '../support/fleet.ts';
import { eventually } from '../support/setup.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const KEY = 'a-key-of-at-least-thirty-two-characters';
const MB = 1024 * 1024;

// --- backends ---

interface Upstream {
  readonly url: string;
  readonly port: number;
  /** Requests so far. */
  readonly requests: readonly IncomingMessage[];
}

async function startUpstream(listener: RequestListener): Promise<Upstream> {
  const requests: IncomingMessage[] = [];
  const server = createHttpServer((req, res) => {
    requests.push(req);
    req.on('error', () => undefined); // a peer that resets is part of the test
    listener(req, res);
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${String(port)}`, port, requests };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        if ('closeAllConnections' in server)
          (server as ReturnType<typeof createHttpServer>).closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

async function bodyOf(message: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Tells what it was sent. */
const echo: RequestListener = (req, res) => {
  void bodyOf(req).then((body) => {
    const { method, url, headers } = req;
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ method, url, headers, body: body.toString() }));
  });
};

interface Echoed {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const fine: RequestListener = (req, res) => {
  req.resume().on('end', () => res.setHeader('content-type', 'application/json').end('{"ok":true}'));
};

// --- the gateway ---

interface Gateway {
  readonly url: string;
  readonly port: number;
  readonly logs: readonly JsonObject[];
  readonly routes: readonly string[];
  inFlight(): number;
  /** Moves the clock on and looks at the limits. */
  advance(ms: number): void;
}

type Configured = Partial<Omit<Backend, 'kind'>> & {
  readonly kind?: KindName;
  readonly url: string;
  /** What it lists; it has not answered a probe without. */
  readonly models?: readonly string[];
};

interface GatewayOptions {
  readonly aliases?: readonly Pick<Alias, 'name' | 'targets'>[];
  readonly keys?: readonly string[];
  readonly bodyLimitBytes?: number;
}

async function startGateway(
  configured: readonly Configured[],
  { aliases = [], keys = [], bodyLimitBytes = MB }: GatewayOptions = {},
): Promise<Gateway> {
  let nowMs = 1000;
  let ids = 0;
  const now = (): number => nowMs;
  const logs: JsonObject[] = [];
  const routes: string[] = [];
  const backends = configured.map(({ kind = 'openai', maxConcurrency = 0, tls, ...rest }, i) => ({
    ...toBackend({ name: `${kind}-${String(i)}`, kind, maxConcurrency, ...rest }, NO_LIMITS),
    tls,
  }));
  const watch = createWatch(now, () => 0);
  const pool = createPool(backends, { settings: () => POOL_SETTINGS, now, random: () => 0 });
  configured.forEach(({ models }, i) => {
    const backend = backends[i];
    if (!models || !backend) return;
    const listed = models.map((name) => ({ name, created: 0, ownedBy: '', digest: '' }));
    pool.probed(backend, { models: new Map(listed.map((model) => [model.name, model])), version: '' });
  });
  const catalog = createCatalog({
    mayUse,
    aliases: aliases.map((alias) => ({
      options: { temperature: 0.5 },
      requestOptions: [],
      completionTemplate: false,
      ...alias,
    })),
    status: pool.status,
    startedAt: 0,
  });
  const log: Logger['info'] = (message, fields = {}) => logs.push({ message, ...fields });
  const logger: Logger = { debug: log, info: log, warn: log, error: log };

  const generation: Generation = {
    catalog,
    dispatch: { run: () => Promise.reject(new Error('not here')) },
    keyring: createKeyring({
      keys: keys.map((key) => ({
        hash: hashKey(key),
        previous: [],
        expiresMs: undefined,
        isRevoked: false,
        client: { ...ANONYMOUS, name: 'one' },
      })),
      isOpen: keys.length === 0,
      hashes: [hashKey],
      wallClock: Date.now,
    }),
    admission: { admit: () => undefined },
    adminKeyring: undefined,
    surfaces: {
      wallClock: Date.now,
      newId: () => '',
      reasoningKeys: 'both',
      isRescueOn: false,
      limits: { maxRecordBytes: MB, maxResponseBytes: MB, maxChoices: 1 },
    },
    isStrict: false,
    bodyLimitBytes,
    queueTimeoutMs: 1000,
    passthrough: { paths: {} },
    cors: { origins: [], maxAgeMs: 0 },
  };
  const app = express();
  app.disable('x-powered-by');
  app.use(
    context({
      current: () => generation,
      now,
      newId: () => String(++ids),
      tracer: createUntraced(true),
      logger,
      meter: { request: (_method, route) => routes.push(route) },
    }),
  );
  app.use('/v1', authenticate);
  const meter = { passed: (): undefined => undefined };
  app.all(
    '/v1/*path',
    passthrough({ pool, kinds, watch, now, meter, track: () => () => undefined, agentOf: createAgents() }),
  );
  app.use(notFound);
  app.use(errors({ errorBody }, logger));

  const server = createServer(app, SERVER_SETTINGS, { active: () => [], isBusy: () => false, logger });
  const port = await server.listen(0, '127.0.0.1');
  const inFlight = (): number => pool.status().reduce((sum, status) => sum + status.inFlight, 0);
  closers.push(async () => {
    // Every lease comes back, whatever the test did.
    await eventually(() => inFlight() === 0);
    await server.drain(0);
  });
  return {
    url: `http://127.0.0.1:${String(port)}`,
    port,
    logs,
    routes,
    inFlight,
    advance(ms) {
      nowMs += ms;
      watch.tick();
    },
  };
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: string | null };
}

async function errorOf(response: Response): Promise<[number, ErrorBody['error']]> {
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  const { error } = (await response.json()) as ErrorBody;
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
  return [response.status, error];
}

function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Exactly these bytes, and all that comes back until the connection closes. */
async function sendText(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text.replaceAll('\n', '\r\n'));
  return (await bodyOf(socket)).toString('latin1');
}

function statusIn(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

// --- who gets it ---

describe('a request that names no model', () => {
  it.each([
    ['of openai before vllm', ['vllm', 'openai'], 1],
    ['of vllm when there is none of openai', ['ollama', 'vllm'], 1],
    ['that is the first of its kind', ['openai', 'openai'], 0],
  ] as const)('goes to the backend %s', async (_, of, index) => {
    const upstreams = await Promise.all(of.map(() => startUpstream(echo)));
    const gateway = await startGateway(of.map((kind, i) => ({ kind, url: upstreams[i]?.url ?? '' })));
    const response = await fetch(`${gateway.url}/v1/files?purpose=batch&limit=2`);
    expect(await response.json()).toMatchObject({ method: 'GET', url: '/v1/files?purpose=batch&limit=2' });
    expect(upstreams.map(({ requests }) => requests.length)).toEqual(
      of.map((__, i) => (i === index ? 1 : 0)),
    );
  });

  it('goes to the next backend that is up', async () => {
    const down = await startUpstream((req) => req.socket.destroy());
    const up = await startUpstream(fine);
    const closed = await closedPort();
    const gateway = await startGateway([{ url: `http://127.0.0.1:${String(closed)}` }, { url: up.url }]);
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(502);
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(200);
    expect(down.requests).toHaveLength(0);
  });

  it('takes no backend of weight 0', async () => {
    const resting = await startUpstream(fine);
    const working = await startUpstream(echo);
    const gateway = await startGateway([{ url: resting.url, weight: 0 }, { url: working.url }]);
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(200);
    expect(resting.requests).toHaveLength(0);
  });

  it('is told when no backend can take it', async () => {
    const upstream = await startUpstream(fine);
    const gateway = await startGateway([{ kind: 'ollama', url: upstream.url }]);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files?x=1`));
    expect(status).toBe(404);
    expect(error).toMatchObject({
      type: 'invalid_request_error',
      code: 'unknown_url',
      message: 'Invalid URL (GET /v1/files): no backend of kind openai or vllm is configured for it.',
    });
    expect(upstream.requests).toHaveLength(0);
  });

  it.each([
    ['JSON without a model', '{"input": "x"}'],
    ['JSON whose model is no text', '{"model": 7, "input":1.0}'],
    ['JSON that is no object', '[1, 2]'],
  ])('has its body sent as it stands: %s', async (_, body) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const echoed = (await (await post(`${gateway.url}/v1/moderations`, body)).json()) as Echoed;
    expect(echoed.body).toBe(body);
  });

  it('may be JSON that is larger than what is looked into', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }], { bodyLimitBytes: 100 });
    const body = JSON.stringify({ model: 'nobody-has-this', input: 'x'.repeat(200) });
    const echoed = (await (await post(`${gateway.url}/v1/moderations`, body)).json()) as Echoed;
    expect(echoed.body).toBe(body);
  });
});

describe('JSON that names a model', () => {
  it('goes to the backend that has it, under its name there and otherwise to the letter', async () => {
    const wrong = await startUpstream(echo);
    const right = await startUpstream(echo);
    const gateway = await startGateway(
      [
        { kind: 'openai', url: wrong.url, models: ['other'] },
        { kind: 'vllm', url: right.url, models: ['bge/reranker-v2'] },
      ],
      { aliases: [{ name: 'rerank', targets: [{ model: 'bge/reranker-v2' }] }] },
    );
    const body =
      '{"model":"first","query": "Grüße 👋", "id":12345678901234567890, "top":1.0,\n"model": "rerank"}';
    const echoed = (await (await post(`${gateway.url}/v1/rerank`, body)).json()) as Echoed;
    expect(echoed.body).toBe(
      '{"model":"bge/reranker-v2","query":"Grüße 👋","id":12345678901234567890,"top":1.0}',
    );
    expect(echoed.headers['content-length']).toBe(String(Buffer.byteLength(echoed.body)));
    expect(wrong.requests).toHaveLength(0);
    await eventually(() => gateway.logs.length > 0);
    expect(gateway.logs[0]).toMatchObject({
      route: '/v1/*path',
      status: 200,
      model: 'rerank',
      backend: 'vllm-1',
      outcome: 'completed',
    });
    expect(gateway.routes).toEqual(['/v1/*path']);
  });

  it.each(['llamacpp', 'lmstudio'] as const)('may go to a backend of kind %s', async (kind) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ kind, url: upstream.url, models: ['m'] }]);
    expect((await post(`${gateway.url}/v1/rerank`, { model: 'm' })).status).toBe(200);
  });

  it('is never sent to Ollama', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ kind: 'ollama', url: upstream.url, models: ['m'] }]);
    const [status, error] = await errorOf(await post(`${gateway.url}/v1/audio/speech`, { model: 'm' }));
    expect(status).toBe(404);
    expect(error).toMatchObject({
      code: 'unknown_url',
      message: 'Invalid URL (POST /v1/audio/speech): no backend of kind openai or vllm has the model `m`.',
    });
    expect(upstream.requests).toHaveLength(0);
  });

  it('that nobody has is not found', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url, models: ['m'] }]);
    const [status, error] = await errorOf(await post(`${gateway.url}/v1/audio/speech`, { model: 'nope' }));
    expect([status, error.code]).toEqual([404, 'model_not_found']);
    expect(upstream.requests).toHaveLength(0);
  });

  it('and cannot be read is refused', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const [status, error] = await errorOf(await post(`${gateway.url}/v1/audio/speech`, '{"model": "m'));
    expect([status, error.type]).toEqual([400, 'invalid_request_error']);
    expect(upstream.requests).toHaveLength(0);
  });
});

describe('a lease', () => {
  it('is held until the last byte of the answer, and counts', async () => {
    const answers: ServerResponse[] = [];
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'audio/mpeg' }).write('a');
      answers.push(res);
    });
    const gateway = await startGateway([{ url: upstream.url, maxConcurrency: 1 }]);
    const first = await fetch(`${gateway.url}/v1/files/f/content`);
    expect(gateway.inFlight()).toBe(1);
    const [status, error] = await errorOf(await fetch(`${gateway.url}/v1/files`));
    expect([status, error.code]).toEqual([503, 'server_overloaded']);
    answers[0]?.end('b');
    expect(await first.text()).toBe('ab');
    await eventually(() => gateway.inFlight() === 0);
    expect(upstream.requests).toHaveLength(1);
  });
});

// --- what goes along ---

describe('headers', () => {
  it('of the client that concern the gateway stay there, and the backend’s own go along', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway(
      [{ url: upstream.url, apiKey: 'backend-key', headers: { 'X-Team': 'blue', 'OpenAI-Project': 'ours' } }],
      { keys: [KEY] },
    );
    const answer = await sendText(
      gateway.port,
      `POST /v1/files HTTP/1.1
Host: gateway.example
Authorization: Bearer ${KEY}
Cookie: session=1
Proxy-Authorization: Basic eDp5
Proxy-Connection: keep-alive
X-Forwarded-For: 10.0.0.1
X-Forwarded-Host: evil.example
X-Real-IP: 10.0.0.1
Forwarded: for=10.0.0.1
Origin: https://app.example
Referer: https://app.example/page
X-Api-Key: secret
X-HTTP-Method-Override: DELETE
Expect: 100-continue
TE: trailers
Upgrade: websocket
Keep-Alive: timeout=99
Connection: close, X-Hop, Upgrade
X-Hop: 1
Accept: audio/*
Accept-Encoding: gzip, br
Accept-Language: de
OpenAI-Organization: org-1
OpenAI-Project: theirs
OpenAI-Beta: assistants=v2
Idempotency-Key: once
User-Agent: client/1
Content-Type: application/octet-stream
Content-Length: 3

abc`,
    );
    const [, body = ''] = answer.split('\r\n\r\n').slice(-2);
    const { headers, body: sent } = JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? '') as Echoed;
    expect(sent).toBe('abc');
    expect(headers).toEqual({
      host: `127.0.0.1:${String(upstream.port)}`,
      connection: 'keep-alive',
      authorization: 'Bearer backend-key',
      'x-team': 'blue',
      accept: 'audio/*',
      'accept-encoding': 'identity',
      'accept-language': 'de',
      'openai-organization': 'org-1',
      'openai-project': 'ours',
      'openai-beta': 'assistants=v2',
      'idempotency-key': 'once',
      'user-agent': 'node-ai-gateway',
      'content-type': 'application/octet-stream',
      'content-length': '3',
    });
  });

  it('are no credentials when the backend has none', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }], { keys: [KEY] });
    const response = await fetch(`${gateway.url}/v1/files`, { headers: { authorization: `Bearer ${KEY}` } });
    expect(((await response.json()) as Echoed).headers).not.toHaveProperty('authorization');
  });

  it('of the backend that tell of the answer go along, and those that tell of the backend do not', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, {
        'content-type': 'audio/mpeg',
        'content-disposition': 'attachment; filename="speech.mp3"',
        'openai-processing-ms': '12',
        'x-ratelimit-remaining-requests': '9',
        'retry-after': '3',
        'x-request-id': 'upstream-id',
        'set-cookie': ['a=1', 'b=2'],
        server: 'uvicorn',
        via: '1.1 inner',
        'x-powered-by': 'Express',
        'access-control-allow-origin': '*',
        'www-authenticate': 'Bearer',
        'alt-svc': 'h3=":443"',
      });
      res.end('bytes');
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f/content`, {
      headers: { 'x-request-id': 'mine' },
    });
    const { date, ...headers } = Object.fromEntries(response.headers);
    expect(headers).toEqual({
      connection: 'keep-alive',
      'keep-alive': 'timeout=75',
      'transfer-encoding': 'chunked',
      'content-type': 'audio/mpeg',
      'content-disposition': 'attachment; filename="speech.mp3"',
      'openai-processing-ms': '12',
      'x-ratelimit-remaining-requests': '9',
      'retry-after': '3',
      'x-request-id': 'mine',
    });
    expect(date).toMatch(/GMT$/);
  });

  it.each([
    ['https://evil.example/v1/files/f', null],
    ['//evil.example/v1/files/f', null],
    ['/admin', null],
    ['/v1/../admin', null],
    ['/v1/files/f?x=1', '/v1/files/f?x=1'],
    ['other', '/v1/files/other'],
    ['http://[', null],
  ])('send no client elsewhere: location %s', async (location, expected) => {
    const upstream = await startUpstream((_req, res) => res.writeHead(307, { location }).end());
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([307, expected]);
  });

  it('with the backend’s own address lead back to the gateway', async () => {
    const upstream: Upstream = await startUpstream((_req, res) =>
      res.writeHead(201, { location: `${upstream.url}/base/v1/batches/b` }).end(),
    );
    const gateway = await startGateway([{ url: `${upstream.url}/base/v1` }]);
    const response = await fetch(`${gateway.url}/v1/batches`, { method: 'POST' });
    expect(response.headers.get('location')).toBe('/v1/batches/b');
    expect(upstream.requests[0]?.url).toBe('/base/v1/batches');
  });
});

describe('a path', () => {
  const refused = [
    '/v1/../admin',
    '/v1/files/../../admin',
    '/v1/files/..',
    '/v1/./files',
    '/v1/%2e%2e/admin',
    '/v1/%2E./admin',
    '/v1/.%2e/admin',
    '/v1/%252e%252e/admin',
    '/v1/files%2f..%2f..%2fadmin',
    '/v1/..%5cadmin',
    '/v1/..\\admin',
    '/v1/\\\\evil.example\\x',
    '/v1/..;/admin',
    '/v1//evil.example/x',
    '/v1/files//x',
    '/v1/files/',
    '/v1/%63hat/completions',
    '/v1/files/%00',
    '/v1/files/%0d%0ax',
    '/v1/files#/../x',
    '/v1/files?a#b',
    'http://evil.example/v1/files',
    'https://evil.example/v1/files',
    '//evil.example/v1/files',
    '/v1@evil.example/files',
    '/v2/files',
  ];

  it.each(refused)('that may lead out of the backend’s base is refused: %s', async (target) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: `${upstream.url}/base/v1` }]);
    const answer = await sendText(gateway.port, `GET ${target} HTTP/1.1\nHost: x\nConnection: close\n\n`);
    expect([400, 404]).toContain(statusIn(answer));
    expect(upstream.requests).toHaveLength(0);
  });

  it.each([
    ['/v1/files', '/base/v1/files'],
    ['/v1/files/file-abc/content?a=%2e%2e&b=//x', '/base/v1/files/file-abc/content?a=%2e%2e&b=//x'],
    ['/v1/fine_tuning/jobs/ft:gpt-4o:org::id', '/base/v1/fine_tuning/jobs/ft:gpt-4o:org::id'],
    ['/v1/vector_stores/a%20b%3Ac/%C3%BC', '/base/v1/vector_stores/a%20b%3Ac/%C3%BC'],
    ['/V1/files/.hidden', '/base/v1/files/.hidden'],
    ['/v1/files?', '/base/v1/files?'],
  ])('that stays inside arrives as it is: %s', async (target, expected) => {
    const upstream = await startUpstream(fine);
    const gateway = await startGateway([{ url: `${upstream.url}/base/v1` }]);
    const answer = await sendText(gateway.port, `GET ${target} HTTP/1.1\nHost: x\nConnection: close\n\n`);
    expect(statusIn(answer)).toBe(200);
    expect(upstream.requests.map(({ url }) => url)).toEqual([expected]);
  });
});

describe('a method', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is passed on', async (method) => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    expect(await (await fetch(`${gateway.url}/v1/files/f`, { method })).json()).toMatchObject({ method });
  });

  it('HEAD is passed on, and has the length that GET would have', async () => {
    const upstream = await startUpstream((_req, res) => res.setHeader('content-length', '1234').end());
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f`, { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('1234');
    expect(upstream.requests[0]?.method).toBe('HEAD');
  });

  it('TRACE, which echoes the backend’s key, is not', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url, apiKey: 'backend-key' }]);
    const answer = await sendText(gateway.port, 'TRACE /v1/files HTTP/1.1\nHost: x\nConnection: close\n\n');
    expect(statusIn(answer)).toBe(405);
    expect(upstream.requests).toHaveLength(0);
  });

  it('DELETE with a chunked body cannot smuggle a second request', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const hidden = 'GET /v1/hidden HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = await sendText(
      gateway.port,
      `DELETE /v1/files/f HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n\n` +
        `${hidden.length.toString(16)}\n${hidden.replaceAll('\r\n', '\n')}\n0\n\n`,
    );
    expect(statusIn(answer)).toBe(200);
    expect(upstream.requests.map(({ url }) => url)).toEqual(['/v1/files/f']);
    expect(upstream.requests[0]?.headers['transfer-encoding']).toBe('chunked');
  });

  it('without a key is not looked at', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }], { keys: [KEY] });
    expect((await fetch(`${gateway.url}/v1/files`)).status).toBe(401);
    expect(upstream.requests).toHaveLength(0);
  });
});

// --- bodies ---

describe('an upload', () => {
  it('of 20 MB reaches the backend while it is sent, byte by byte the same', async () => {
    const bytes = randomBytes(20 * MB);
    const hash = createHash('sha256');
    let received = 0;
    const upstream = await startUpstream((req, res) => {
      req.on('data', (chunk: Buffer) => {
        received += chunk.length;
        hash.update(chunk);
      });
      req.on('end', () => res.end(hash.digest('hex')));
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const upload = httpRequest(`${gateway.url}/v1/files`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x', 'content-length': bytes.length },
    });
    const answer = new Promise<IncomingMessage>((resolve) => upload.on('response', resolve));
    upload.write(bytes.subarray(0, 1000));
    await eventually(() => received === 1000);
    expect(gateway.inFlight()).toBe(1);
    upload.end(bytes.subarray(1000));
    expect((await bodyOf(await answer)).toString()).toBe(sha256(bytes));
    expect(received).toBe(20 * MB);
  });

  it('is not held in memory when the backend does not read', async () => {
    const total = 96 * MB;
    const piece = Buffer.alloc(MB, 'x');
    let received = 0;
    const upstream = await startUpstream((req, res) => {
      req.on('end', () => res.end('done'));
    });
    const gateway = await startGateway([
      { url: upstream.url, timeouts: { ...TIMEOUTS, firstTokenMs: 1000 } },
    ]);
    const upload = httpRequest(`${gateway.url}/v1/files`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'content-length': total },
    });
    const answer = new Promise<IncomingMessage>((resolve) => upload.on('response', resolve));
    let sent = 0;
    function write(): void {
      while (sent < total) {
        sent += MB;
        if (!upload.write(piece)) {
          upload.once('drain', write);
          return;
        }
      }
      upload.end();
    }
    write();
    let before = -1;
    await eventually(async () => {
      await sleep(100);
      const isStill = sent === before;
      before = sent;
      return isStill;
    });
    // What the kernel's buffers hold, and little more.
    expect(sent).toBeLessThan(40 * MB);
    // It is the client's turn to send, so the backend is not late.
    gateway.advance(5000);
    const [request] = upstream.requests;
    request?.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    expect((await bodyOf(await answer)).toString()).toBe('done');
    expect(received).toBe(total);
  });

  it('in chunks stays in chunks', async () => {
    const upstream = await startUpstream(echo);
    const gateway = await startGateway([{ url: upstream.url }]);
    const upload = httpRequest(`${gateway.url}/v1/files`, {
      method: 'POST',
      headers: { 'content-type': 'application/jsonl' },
    });
    const answer = new Promise<IncomingMessage>((resolve) => upload.on('response', resolve));
    upload.write('{"model":');
    upload.end('"never-resolved"}');
    const echoed = JSON.parse((await bodyOf(await answer)).toString()) as Echoed;
    expect(echoed.body).toBe('{"model":"never-resolved"}');
    expect(echoed.headers['transfer-encoding']).toBe('chunked');
  });

  it('whose client leaves is broken off at once', async () => {
    let isClosed = false;
    const upstream = await startUpstream((req) => {
      req.resume().on('close', () => {
        isClosed = !req.complete;
      });
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const upload = httpRequest(`${gateway.url}/v1/files`, {
      method: 'POST',
      headers: { 'content-length': 1000 },
    });
    upload.on('error', () => undefined);
    upload.write('abc');
    await eventually(() => upstream.requests.length === 1);
    upload.destroy();
    await eventually(() => isClosed && gateway.inFlight() === 0 && gateway.logs.length > 0);
    expect(gateway.logs).toMatchObject([{ status: 499, outcome: 'client_aborted', backend: 'openai-0' }]);
  });

  it('that the backend refuses before its end is answered, and the client can go on', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(413, { 'content-type': 'application/json' });
      res.end('{"error":{"message":"too large","type":"invalid_request_error","param":null,"code":null}}');
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files`, { method: 'POST', body: Buffer.alloc(300_000) });
    const [status, error] = await errorOf(response);
    expect([status, error.message]).toEqual([413, 'too large']);
  });
});

describe('an answer', () => {
  it('is relayed piece by piece', async () => {
    let answer: ServerResponse | undefined;
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      answer = res;
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/audio/speech`, { method: 'POST' });
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      answer?.write(text);
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(text);
    }
    answer?.end();
    expect((await reader.read()).done).toBe(true);
  });

  it('is not held in memory when the client does not read, nor cut for it', async () => {
    const total = 96 * MB;
    let sent = 0;
    const upstream = await startUpstream((_req, res) => {
      const piece = Buffer.alloc(MB, 'x');
      function write(): void {
        while (sent < total) {
          sent += MB;
          if (!res.write(piece)) {
            res.once('drain', write);
            return;
          }
        }
        res.end();
      }
      write();
    });
    const gateway = await startGateway([{ url: upstream.url, timeouts: { ...TIMEOUTS, idleMs: 1000 } }]);
    const download = await new Promise<IncomingMessage>((resolve) => {
      httpRequest(`${gateway.url}/v1/files/f/content`, resolve).end();
    });
    let before = -1;
    await eventually(async () => {
      await sleep(100);
      const isStill = sent === before;
      before = sent;
      return isStill;
    });
    expect(sent).toBeLessThan(40 * MB);
    // The first look finds what was sent before the silence.
    gateway.advance(1);
    gateway.advance(5000);
    let received = 0;
    for await (const chunk of download) received += (chunk as Buffer).length;
    expect(received).toBe(total);
  });

  it('that the client does not want to the end is broken off at the backend', async () => {
    let isClosed = false;
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200).write('first');
      res.on('close', () => {
        isClosed = true;
      });
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const controller = new AbortController();
    await fetch(`${gateway.url}/v1/files/f/content`, { signal: controller.signal });
    controller.abort();
    await eventually(() => isClosed && gateway.inFlight() === 0);
    expect(gateway.logs).toMatchObject([{ outcome: 'client_aborted' }]);
  });

  it('that is waited for is broken off when the client leaves', async () => {
    let isClosed = false;
    const upstream = await startUpstream((_req, res) => {
      res.on('close', () => {
        isClosed = true;
      });
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const controller = new AbortController();
    const left = post(`${gateway.url}/v1/images/generations`, {}, {});
    const waiting = fetch(`${gateway.url}/v1/files`, { signal: controller.signal });
    await eventually(() => upstream.requests.length === 2);
    controller.abort();
    await expect(waiting).rejects.toThrow('aborted');
    await eventually(() => isClosed && gateway.inFlight() === 1);
    gateway.advance(700_000);
    expect((await left).status).toBe(504);
  });

  it.each([
    ['with a length', { 'content-length': '100' }],
    ['in chunks', { 'content-type': 'text/event-stream' }],
  ])('%s that breaks off never ends cleanly', async (_, headers) => {
    let socket: IncomingMessage['socket'] | undefined;
    const upstream = await startUpstream((req, res) => {
      socket = req.socket;
      res.writeHead(200, headers).write('first');
    });
    const gateway = await startGateway([{ url: upstream.url }]);
    const response = await fetch(`${gateway.url}/v1/files/f/content`);
    const text = response.text();
    socket?.destroy();
    await expect(text).rejects.toThrow();
    await eventually(() => gateway.logs.length > 0);
    expect(gateway.logs[0]).toMatchObject({
      outcome: 'upstream_error',
      error: { reason: 'upstream_connection_error' },
    });
  });

  it('that ends with its connection is whole', async () => {
    const server = createTcpServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it'));
    });
    const gateway = await startGateway([{ url: `http://127.0.0.1:${String(await listen(server))}` }]);
    expect(await (await fetch(`${gateway.url}/v1/files/f/content`)).text()).toBe('all of it');
  });

  it('uses a connection again', async () => {
    const upstream = await startUpstream(fine);
    const gateway = await startGateway([{ url: upstream.url }]);
    for (let i = 0; i < 3; i++) await (await fetch(`${gateway.url}/v1/files`)).text();
    expect(new Set(upstream.requests.map(({ socket }) => socket.remotePort)).size).toBe(1);
  });
});

// --- failures ---

const TIMEOUTS = { connectMs: 5000, firstTokenMs: 0, idleMs: 0, totalMs: 0 };

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

async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
