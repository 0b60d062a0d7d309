/** What both clients for backends must do, over plain and over encrypted connections. */

import {
  createServer as createTcpServer,
  connect,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../src/core/errors.ts';
import type { ByteText } from '../../src/core/stream.ts';
import type { UpstreamResponse } from '../../src/core/upstream.ts';
import { createHttp1Transport } from '../../src/node/http1.ts';
import type { Transport } from '../../src/node/transport.ts';
import { createUndiciTransport } from '../../src/node/undici.ts';
import { TLS_CERTIFICATE, TLS_KEY } from '../support/certificate.ts';
import { eventually } from '../support/setup.ts';

const REQUEST = {
  method: 'POST',
  path: '/api/chat',
  headers: { 'x-a': 'b' },
  body: '{"model":"m"}',
} as const;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** One request in the hands of the test. */
interface Arrival {
  readonly socket: Socket;
  readonly text: string;
  /** Which of its connection; 0 is the first. */
  readonly index: number;
  /** RST instead of FIN. */
  reset(): void;
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Peer {
  readonly transport: Transport;
  readonly arrivals: Arrival[];
  openSockets(): number;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Answers each request by hand. */
async function startPeer(isSecure: boolean, answer: (arrival: Arrival) => void): Promise<Peer> {
  const arrivals: Arrival[] = [];
  /** What carries the encrypted ones, by the port at the other end: only it can be reset. */
  const carriers = new Map<number | undefined, Socket>();
  const sockets = new Set<Socket>();
  function onSocket(socket: Socket): void {
    let index = 0;
    let text = '';
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (!text.endsWith(REQUEST.body)) return;
      const reset = (): unknown => carriers.get(socket.remotePort)?.resetAndDestroy();
      const arrival = { socket, text, index: index++, reset };
      text = '';
      arrivals.push(arrival);
      answer(arrival);
    });
  }
  const server = isSecure
    ? createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, onSocket)
    : createTcpServer(onSocket);
  server.on('connection', (socket: Socket) => carriers.set(socket.remotePort, socket));
  const port = await listen(server);
  const transport = transportTo(isSecure, port);
  closers.push(() => {
    transport.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { transport, arrivals, openSockets: () => sockets.size };
}

function transportTo(isSecure: boolean, port: number, connectMs = 5000): Transport {
  const origin = new URL(`${isSecure ? 'https' : 'http'}://localhost:${String(port)}`);
  const address = { origin, address: '127.0.0.1', connectMs };
  const tls = { ca: TLS_CERTIFICATE, identity: undefined };
  return isSecure ? createUndiciTransport({ ...address, tls }) : createHttp1Transport(address);
}

function bodyOf({ body }: UpstreamResponse): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    body.read({ chunk: (bytes: ByteText) => (text += bytes), end: () => resolve(text), error: reject });
  });
}

/** Status and body, or the reason of the failure. */
async function ask(transport: Transport, signal = new AbortController().signal): Promise<string> {
  try {
    const response = await transport.send(REQUEST, signal);
    return `${String(response.status)} ${await bodyOf(response)}`;
  } catch (error) {
    return (error as { reason?: string }).reason ?? String(error);
  } finally {
    // The connection is free again.
    await new Promise(setImmediate);
  }
}

/** The ways in which a peer is gone. */
const LEAVES = [
  ['resets', ({ reset }: Arrival) => reset()],
  ['closes', ({ socket }: Arrival) => socket.end()],
] as const;

describe.each([
  ['http://', false],
  ['https://', true],
])('a connection to an %s backend', (_, isSecure) => {
  it('is used again', async () => {
    const { transport, arrivals, openSockets } = await startPeer(isSecure, ({ socket }) => socket.write(OK));
    for (let i = 0; i < 10; i++) expect(await ask(transport)).toBe('200 ok');
    expect(arrivals.at(-1)?.index).toBe(9);
    expect(openSockets()).toBe(1);
  });

  it.each(LEAVES)('that its peer %s with each next request costs none of 200', async (_way, leave) => {
    const { transport, arrivals } = await startPeer(isSecure, (arrival) => {
      if (arrival.index === 0) arrival.socket.write(OK);
      else leave(arrival);
    });
    for (let i = 0; i < 200; i++) expect(await ask(transport)).toBe('200 ok');
    // What was sent again is the same to the last byte.
    expect(new Set(arrivals.map(({ text }) => text)).size).toBe(1);
    expect(arrivals.length).toBeGreaterThan(300);
  });

  it.each(LEAVES)('that its peer %s together with all others costs none of 20', async (_way, leave) => {
    const { transport, arrivals } = await startPeer(isSecure, (arrival) => {
      if (arrivals.length < 20) return;
      if (arrivals.length === 20) for (const { socket } of arrivals) socket.write(OK);
      else if (arrival.index > 0) leave(arrival);
      else arrival.socket.write(OK);
    });
    const answers = (): Promise<string[]> => Promise.all(Array.from({ length: 20 }, () => ask(transport)));
    expect(new Set(await answers())).toEqual(new Set(['200 ok']));
    expect(new Set(await answers())).toEqual(new Set(['200 ok']));
    expect(arrivals).toHaveLength(60);
  });

  it.each(LEAVES)('that its peer %s when it has answered costs none of 200', async (_way, leave) => {
    const { transport } = await startPeer(isSecure, (arrival) => {
      arrival.socket.write(OK, () => setImmediate(leave, arrival));
    });
    for (let i = 0; i < 200; i++) expect(await ask(transport)).toBe('200 ok');
  });

  it.each(LEAVES)(
    'that its peer %s although it is new is a failure, and nothing is sent twice',
    async (_way, leave) => {
      const { transport, arrivals } = await startPeer(isSecure, leave);
      expect(await ask(transport)).toBe('upstream_connection_error');
      expect(arrivals).toHaveLength(1);
    },
  );

  it.each(LEAVES)('that its peer %s again after that is a failure', async (_way, leave) => {
    let isFirst = true;
    const { transport, arrivals } = await startPeer(isSecure, (arrival) => {
      if (isFirst) arrival.socket.write(OK);
      else leave(arrival);
      isFirst = false;
    });
    expect(await ask(transport)).toBe('200 ok');
    expect(await ask(transport)).toBe('upstream_connection_error');
    expect(arrivals).toHaveLength(3);
  });

  it.each([
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le', 'upstream_connection_error'],
    ['less than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok', 'upstream_connection_error'],
    [
      'half a chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok',
      'upstream_connection_error',
    ],
    [
      'chunks without their end',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n',
      'upstream_connection_error',
    ],
    [
      'a broken chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n',
      'upstream_invalid_response',
    ],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', 'upstream_invalid_response'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok',
      'upstream_invalid_response',
    ],
  ])('that brings %s is a failure, and nothing is sent twice', async (_what, text, reason) => {
    // Also on a kept connection: the peer has begun to answer.
    const { transport, arrivals } = await startPeer(isSecure, ({ socket, index }) => {
      if (index === 0) socket.write(OK);
      else socket.end(text);
    });
    expect(await ask(transport)).toBe('200 ok');
    expect(await ask(transport)).toBe(reason);
    expect(arrivals).toHaveLength(2);
  });

  it.each([
    ['does not end', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok'],
    ['is long', `HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n${'x'.repeat(200_000)}`],
  ])('is given up when an answer that nobody wants any more %s', async (_what, text) => {
    const { transport, openSockets } = await startPeer(isSecure, ({ socket }) => socket.write(text));
    const { body } = await transport.send(REQUEST, new AbortController().signal);
    body.discard();
    await eventually(() => openSockets() === 0);
  });

  it('is closed at once when its request is given up', async () => {
    for (const text of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok']) {
      const { transport, arrivals, openSockets } = await startPeer(isSecure, ({ socket }) =>
        socket.write(text),
      );
      const controller = new AbortController();
      const answer = ask(transport, controller.signal);
      await eventually(() => arrivals.length === 1);
      controller.abort(new GatewayError('client_closed', { message: 'left' }));
      expect(await answer).toBe('client_closed');
      await eventually(() => openSockets() === 0);
    }
  });

  it('that nobody accepts is given up in time', async () => {
    const port = isSecure ? await silentPort() : await fullPort();
    const transport = transportTo(isSecure, port, 200);
    expect(await ask(transport)).toBe('upstream_connect_timeout');
    transport.close();
  });
});

it('an https:// connection that is still being made is closed when its request is given up', async () => {
  let openSockets = 0;
  const server = createTcpServer((socket) => {
    openSockets++;
    socket.on('close', () => openSockets--).on('error', () => undefined);
    socket.resume();
  });
  // Longer than a test may take.
  const transport = transportTo(true, await listen(server), 60_000);
  const controller = new AbortController();
  const answer = ask(transport, controller.signal);
  await eventually(() => openSockets === 1);
  controller.abort(new GatewayError('client_closed', { message: 'left' }));
  expect(await answer).toBe('client_closed');
  await eventually(() => openSockets === 0);
  server.close();
});

/** TLS to a server that never says a word: the connection stands, the handshake does not. */
async function silentPort(): Promise<number> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
  });
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return listen(server);
}

/** A server that is too busy to accept, with a full line before its door. */
async function fullPort(): Promise<number> {
  const worker = new Worker(
    `const { createServer } = require('node:net');
     const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       require('node:worker_threads').parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const waiting = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  closers.push(() => {
    void worker.terminate();
    for (const socket of waiting) socket.destroy();
  });
  await eventually(() => waiting.filter(({ connecting }) => !connecting).length >= 2);
  return port;
}
