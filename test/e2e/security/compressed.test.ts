/** Compressed request bodies: read as they were meant, within the limits, and never more of them than that. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { connectRaw } from '../../support/raw-client.ts';
import { saying, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, eventually, KINDS_OF_STREAM } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const MB = 1024 ** 2;

const CODINGS: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZIP', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
];

const bodyOf = (content: string): Buffer =>
  Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }));

/** Incompressible text of so many characters. */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return String.fromCharCode(33 + (state % 90));
  }).join('');
}

async function start(
  env: Readonly<Record<string, string>> = {},
): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, ...env } });
  return { gateway, backend };
}

function send(
  gateway: TestGateway,
  coding: string,
  body: Buffer,
  path = '/v1/chat/completions',
): Promise<Response> {
  return fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': coding },
    body,
  });
}

async function failureOf(response: Response): Promise<[number, string, string]> {
  const { error } = (await response.json()) as { error: { message: string; type: string } };
  return [response.status, error.type, error.message];
}

describe.each(CODINGS)('a body in %s', (coding, compress) => {
  it.each(KINDS_OF_STREAM)('reaches %s as it was meant', async (_, variable) => {
    const backend = await setup.backend(saying('x'));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const content = `ü 🦊 ${noise(300_000)}`;
    expect((await send(gateway, coding, compress(bodyOf(content)))).status).toBe(200);
    expect(backend.calls[0]?.body).toMatchObject({ messages: [{ role: 'user', content }] });
    for (const name of ['content-encoding', 'transfer-encoding'])
      expect(backend.calls[0]?.headers).not.toHaveProperty(name);
  });

  it('may become as large as a body may be, and no larger', async () => {
    const { gateway, backend } = await start({ BODY_LIMIT: '100kb' });
    const frame = bodyOf('').length;
    const fits = bodyOf('x'.repeat(100 * 1024 - frame));
    expect((await send(gateway, coding, compress(fits))).status).toBe(200);
    const one = bodyOf('x'.repeat(100 * 1024 - frame + 1));
    expect(await failureOf(await send(gateway, coding, compress(one)))).toEqual([
      413,
      'invalid_request_error',
      expect.stringContaining('102400 bytes'),
    ]);
    expect(backend.calls).toHaveLength(1);
  });

  it.each([
    ['is cut off', (bytes: Buffer) => bytes.subarray(0, -4)],
    ['goes on behind its end', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('{"model":"other"}')])],
    ['begins with something else', (bytes: Buffer) => Buffer.concat([Buffer.from('{}'), bytes])],
    ['is not compressed', () => bodyOf('hi')],
    ['is empty', () => Buffer.alloc(0)],
  ])('that %s is refused', async (_, spoil) => {
    const { gateway, backend } = await start();
    expect(await failureOf(await send(gateway, coding, spoil(compress(bodyOf('hi')))))).toEqual([
      400,
      'invalid_request_error',
      expect.stringMatching(/inflate the body|one valid JSON object/),
    ]);
    expect(backend.calls).toEqual([]);
  });
});

it('a small body that would become huge is given up early, with little memory', async () => {
  const { gateway, backend } = await start({ BODY_LIMIT: '1gb' });
  const zeros = Buffer.alloc(MB, 32);
  const bombs = [
    // 64 MB and 1 MB for each of its members.
    ['gzip', Buffer.concat(Array<Buffer>(64).fill(gzipSync(zeros)))],
    [
      'br',
      brotliCompressSync(Buffer.alloc(64 * MB, 32), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
    ],
  ] as const;
  const before = process.memoryUsage();
  for (const [coding, bomb] of bombs) {
    expect(await failureOf(await send(gateway, coding, bomb))).toEqual([
      413,
      'invalid_request_error',
      expect.stringContaining('200 times'),
    ]);
  }
  const after = process.memoryUsage();
  expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(16 * MB);
  expect(backend.calls).toEqual([]);
});

it('a body that becomes nothing however much is sent is given up at the limit', async () => {
  const { gateway } = await start({ BODY_LIMIT: '100kb' });
  // Stored blocks without content (RFC 1951, section 3.2.4).
  const head = gzipSync('').subarray(0, 10);
  const nothing = Buffer.concat([head, Buffer.alloc(500_000, Buffer.from([0, 0, 0, 0xff, 0xff]))]);
  expect((await send(gateway, 'gzip', nothing)).status).toBe(413);
});

it.each(['zstd', 'compress', 'gzip, gzip', 'gzip, br', 'aes128gcm', '*', 'constructor', '__proto__'])(
  'a body in %s is refused, and told what is accepted',
  async (coding) => {
    const { gateway, backend } = await start();
    const response = await send(gateway, coding, gzipSync(bodyOf('hi')));
    expect(response.headers.get('accept-encoding')).toBe('gzip, deflate, br');
    expect(await failureOf(response)).toEqual([
      415,
      'invalid_request_error',
      expect.stringContaining('gzip, deflate, br'),
    ]);
    expect(backend.calls).toEqual([]);
  },
);

it('deflate without its envelope, which some servers take for deflate, is not', async () => {
  const { gateway } = await start();
  expect((await send(gateway, 'deflate', deflateRawSync(bodyOf('hi')))).status).toBe(400);
});

it('who asks for nothing special is asked for nothing special', async () => {
  const { gateway } = await start();
  expect((await send(gateway, 'identity', bodyOf('hi'))).status).toBe(200);
});

it('a connection goes on after a compressed body, whether it was taken or not', async () => {
  const { gateway } = await start({ BODY_LIMIT: '100kb' });
  const client = connectRaw(gateway.port);
  const post = (body: Buffer): void => {
    client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${String(body.length)}\r\n\r\n`,
    );
    client.socket.write(body);
  };
  post(gzipSync(bodyOf('hi')));
  await client.until(/^HTTP\/1\.1 200[^]*}$/);
  post(gzipSync(bodyOf('x'.repeat(200_000))));
  await client.until(/HTTP\/1\.1 413[^]*}}$/);
  post(gzipSync(bodyOf('hi')).subarray(0, -1));
  await client.until(/HTTP\/1\.1 400[^]*}}$/);
  post(gzipSync(bodyOf('hi')));
  await client.until(/HTTP\/1\.1 400[^]*HTTP\/1\.1 200[^]*}$/);
  client.socket.destroy();
});

it('a client that leaves in the middle is nobody’s fault', async () => {
  const { gateway, backend } = await start();
  const client = connectRaw(gateway.port);
  client.send(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n',
  );
  client.socket.write(gzipSync(bodyOf('hi')).subarray(0, 20), () => client.socket.destroy());
  await eventually(() => gateway.logs.some(({ fields }) => fields.status === 499));
  expect(gateway.logs.filter(({ level }) => level === 'error')).toEqual([]);
  expect(backend.calls).toEqual([]);
});

it('what is passed on raw goes through as it is, compressed', async () => {
  const received: Buffer[] = [];
  const server = createServer((req, res) => {
    if (req.url === '/v1/responses') req.on('data', (chunk: Buffer) => received.push(chunk));
    req.resume().on('end', () => res.end('{}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: `http://127.0.0.1:${String(port)}` } });
    const body = gzipSync(bodyOf(noise(100_000)));
    expect((await send(gateway, 'gzip', body, '/v1/responses')).status).toBe(200);
    expect(Buffer.concat(received).equals(body)).toBe(true);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
