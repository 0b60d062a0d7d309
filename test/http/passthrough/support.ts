/** A gateway that passes everything on raw, and backends to pass it on to. What a test opens is closed after it. */

import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, expect } from '@jest/globals';
import express from 'express';
import { createKeyring } from '../../../src/admission/keyring.ts';
import { toBackend } from '../../../src/config/load.ts';
import { ANONYMOUS } from '../../../src/core/client.ts';
import { mayUse } from '../../../src/admission/models.ts';
import { kinds } from '../../../src/backends/index.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Logger } from '../../../src/core/exchange.ts';
import type { Alias, Backend, KindName } from '../../../src/core/fleet.ts';
import { createUntraced } from '../../../src/gateway/untraced.ts';
import { createWatch } from '../../../src/gateway/watch.ts';
import { authenticate } from '../../../src/http/authenticate.ts';
import { context } from '../../../src/http/context.ts';
import { errors, notFound } from '../../../src/http/errors.ts';
import { passthrough } from '../../../src/http/passthrough.ts';
import type { Generation } from '../../../src/http/generation.ts';
import { createAgents } from '../../../src/node/agents.ts';
import { hashKey } from '../../../src/node/hash-key.ts';
import { createServer } from '../../../src/node/server.ts';
import { createCatalog } from '../../../src/routing/catalog.ts';
import { createPool } from '../../../src/routing/pool.ts';
import { errorBody } from '../../../src/surfaces/errors.ts';
import { NO_LIMITS, POOL_SETTINGS, SERVER_SETTINGS } from '../../support/fleet.ts';
import { sleep } from '../../support/load.ts';
import { eventually } from '../../support/setup.ts';

export const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export const KEY = 'a-key-of-at-least-thirty-two-characters';
export const MB = 1024 * 1024;

// --- backends ---

export interface Upstream {
  readonly url: string;
  readonly port: number;
  /** Requests so far. */
  readonly requests: readonly IncomingMessage[];
}

export async function startUpstream(listener: RequestListener): Promise<Upstream> {
  const requests: IncomingMessage[] = [];
  const server = createHttpServer((req, res) => {
    requests.push(req);
    req.on('error', () => undefined); // a peer that resets is part of the test
    listener(req, res);
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${String(port)}`, port, requests };
}

export async function listen(server: Server): Promise<number> {
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

export async function bodyOf(message: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Tells what it was sent. */
export const echo: RequestListener = (req, res) => {
  void bodyOf(req).then((body) => {
    const { method, url, headers } = req;
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ method, url, headers, body: body.toString() }));
  });
};

export interface Echoed {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const fine: RequestListener = (req, res) => {
  req.resume().on('end', () => res.setHeader('content-type', 'application/json').end('{"ok":true}'));
};

// --- the gateway ---

export interface Gateway {
  readonly url: string;
  readonly port: number;
  readonly logs: readonly JsonObject[];
  readonly routes: readonly string[];
  inFlight(): number;
  /** Moves the clock on and looks at the limits. */
  advance(ms: number): void;
}

export type Configured = Partial<Omit<Backend, 'kind'>> & {
  readonly kind?: KindName;
  readonly url: string;
  /** What it lists; it has not answered a probe without. */
  readonly models?: readonly string[];
};

export interface GatewayOptions {
  readonly aliases?: readonly Pick<Alias, 'name' | 'targets'>[];
  readonly keys?: readonly string[];
  readonly bodyLimitBytes?: number;
}

export async function startGateway(
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

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

export interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: string | null };
}

export async function errorOf(response: Response): Promise<[number, ErrorBody['error']]> {
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  const { error } = (await response.json()) as ErrorBody;
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
  return [response.status, error];
}

export function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Exactly these bytes, and all that comes back until the connection closes. */
export async function sendText(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text.replaceAll('\n', '\r\n'));
  return (await bodyOf(socket)).toString('latin1');
}

export function statusIn(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

// --- who gets it ---

export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Until what flows has come to a stop: it is full to its bounds. */
export async function untilStill(sentBytes: () => number): Promise<void> {
  let before = -1;
  await eventually(async () => {
    await sleep(100);
    const isStill = sentBytes() === before;
    before = sentBytes();
    return isStill;
  });
}

/** Without limits but that on connecting. */
export const TIMEOUTS = { connectMs: 5000, firstTokenMs: 0, idleMs: 0, totalMs: 0 };
