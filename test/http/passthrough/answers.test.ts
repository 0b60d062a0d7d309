/** Answers on their raw way back, and the limits that hold for them. */

import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/setup.ts';
import { MB, startUpstream, listen, fine, startGateway, post, TIMEOUTS, untilStill } from './support.ts';

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
    await untilStill(() => sent);
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
