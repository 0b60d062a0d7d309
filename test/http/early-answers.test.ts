/** Answers that are given before the request's body has come: how much is still read, and what comes next. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { limitUnread } from '../../src/node/unread.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();
const KEY = 'a-key-of-at-least-thirty-two-characters';
const BODY = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
const MB = 1024 ** 2;

function headOf(path: string, ...lines: readonly string[]): string {
  return [`POST ${path} HTTP/1.1`, 'Host: gateway', 'Content-Type: application/json', ...lines, '', ''].join(
    '\r\n',
  );
}

const chunkOf = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked';
const GOOD = `Authorization: Bearer ${KEY}`;
const statusesOf = (received: string): string[] => received.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];

async function connect(env: Readonly<Record<string, string>> = {}): Promise<{
  client: RawClient;
  calls: readonly unknown[];
}> {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, AUTH_KEY: KEY, ...env } });
  return { client: connectRaw(gateway.port), calls: backend.calls };
}

/** Sends chunks as fast as they are taken until the connection is closed. */
function flood({ socket, closed }: RawClient): Promise<string> {
  const chunk = Buffer.from(chunkOf('x'.repeat(64 * 1024)));
  const fill = (): void => {
    while (socket.writable && socket.write(chunk));
  };
  socket.on('drain', fill);
  fill();
  return closed;
}

describe('a refusal while the body arrives', () => {
  it.each(['/v1/chat/completions', '/v1/responses', '/v1/audio/transcriptions'])(
    'on %s comes at once, and the next request on the connection is found where it starts',
    async (path) => {
      const { client, calls } = await connect();
      client.send(headOf(path, CHUNKED) + chunkOf('{"model":'));
      await client.until(/^HTTP\/1\.1 401 .*}}$/s);
      // What looks like a request within the body is none.
      const smuggled = headOf('/v1/chat/completions', GOOD, `Content-Length: ${String(BODY.length)}`) + BODY;
      client.send(chunkOf(smuggled) + chunkOf('"m"}') + '0\r\n\r\n');
      client.send(
        headOf('/v1/chat/completions', GOOD, 'Connection: close', `Content-Length: ${String(BODY.length)}`) +
          BODY,
      );
      const received = await client.closed;
      expect(statusesOf(received)).toEqual(['401', '200']);
      expect(calls).toHaveLength(1);
    },
  );

  it('needs nothing of a body that was announced', async () => {
    const { client } = await connect();
    client.send(headOf('/v1/chat/completions', 'Content-Length: 30000000'));
    await client.until(/^HTTP\/1\.1 401 .*}}$/s);
    client.socket.destroy();
  });

  it('is followed by no more than a few megabytes of an endless body', async () => {
    const { client, calls } = await connect();
    client.send(headOf('/v1/chat/completions', CHUNKED));
    await client.until(/^HTTP\/1\.1 401 .*}}$/s);
    expect(statusesOf(await flood(client))).toEqual(['401']);
    // One is read; the rest is what both sides' kernels hold.
    expect(client.socket.bytesWritten).toBeLessThan(24 * MB);
    expect(calls).toEqual([]);
  });

  it('is read by a client that sends all of a large body first', async () => {
    const { client } = await connect();
    client.send(headOf('/v1/chat/completions', `Content-Length: ${String(MB / 2)}`) + 'x'.repeat(MB / 2));
    await client.until(/^HTTP\/1\.1 401 .*}}$/s);
    client.send('GET /v1/models HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n' + `${GOOD}\r\n\r\n`);
    expect(statusesOf(await client.closed)).toEqual(['401', '200']);
  });
});

describe('a body that is too large', () => {
  it('is refused when the limit is passed, and leaves the connection usable when it ends soon', async () => {
    const { client, calls } = await connect({ BODY_LIMIT: '100kb' });
    client.send(headOf('/v1/chat/completions', CHUNKED, GOOD) + chunkOf('x'.repeat(200_000)));
    await client.until(/^HTTP\/1\.1 413 .*}}$/s);
    client.send(`${chunkOf('x'.repeat(200_000))}0\r\n\r\n`);
    client.send('GET /v1/models HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n' + `${GOOD}\r\n\r\n`);
    expect(statusesOf(await client.closed)).toEqual(['413', '200']);
    expect(calls).toEqual([]);
  });

  it('closes the connection when it does not end', async () => {
    const { client } = await connect({ BODY_LIMIT: '100kb' });
    client.send(headOf('/v1/chat/completions', CHUNKED, GOOD));
    expect(statusesOf(await flood(client))).toEqual(['413']);
    expect(client.socket.bytesWritten).toBeLessThan(24 * MB);
  });
});

it('a body that stops arriving after its answer is not waited for', async () => {
  const server = createServer((req, res) => {
    limitUnread(req, res, { bytes: 1000, ms: 20 });
    res.statusCode = 401;
    res.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectRaw((server.address() as AddressInfo).port);
  client.send(headOf('/', CHUNKED) + chunkOf('some'));
  expect(statusesOf(await client.closed)).toEqual(['401']);
  server.close();
});

describe('a client that asks before it sends', () => {
  const EXPECT = 'Expect: 100-continue';
  const LENGTH = `Content-Length: ${String(BODY.length)}`;

  it('is told to go on when its key is good', async () => {
    const { client } = await connect();
    client.send(headOf('/v1/chat/completions', EXPECT, LENGTH, GOOD));
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.send(BODY);
    expect(statusesOf(await client.closed)).toEqual(['100', '200']);
  });

  it('is told to go on when its request is passed on raw', async () => {
    const { client } = await connect();
    client.send(headOf('/v1/responses', EXPECT, LENGTH, GOOD));
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.send(BODY);
    expect(statusesOf(await client.closed)).toEqual(['100', '200']);
  });

  it('is refused without being asked for its body when its key is bad, and the connection is closed', async () => {
    const { client, calls } = await connect();
    client.send(headOf('/v1/chat/completions', EXPECT, LENGTH));
    expect(statusesOf(await client.closed)).toEqual(['401']);
    expect(calls).toEqual([]);
  });
});
