/** Bodies on their raw way to a backend: as they come, as far as they come. */

import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/setup.ts';
import {
  MB,
  startUpstream,
  bodyOf,
  echo,
  type Echoed,
  startGateway,
  sha256,
  errorOf,
  TIMEOUTS,
  untilStill,
} from './support.ts';

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
    await untilStill(() => sent);
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
