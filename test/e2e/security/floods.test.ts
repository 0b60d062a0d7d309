/** Clients that send too slowly, too much or too many: each is ended at its limit, and others do not notice. */

import { describe, expect, it } from '@jest/globals';
import { expectWithin } from '../../support/figures.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../../support/raw-client.ts';
import { saying, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const KEY = 'a-key-of-at-least-thirty-two-characters';
const AUTHORIZATION = `Authorization: Bearer ${KEY}`;
const MB = 1024 ** 2;

async function start(
  env: Readonly<Record<string, string>> = {},
): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, AUTH_KEY: KEY, ...env } });
  return { gateway, backend };
}

function headOf(...lines: readonly string[]): string {
  return [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: g',
    'Content-Type: application/json',
    ...lines,
    '',
    '',
  ].join('\r\n');
}

const statusesOf = (received: string): string[] => received.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];

/** 300 connections that send a byte every now and then, and how long the last of them lives. */
function dripOn(
  port: number,
  beginnings: readonly string[],
): { clients: RawClient[]; lastMs: Promise<number> } {
  const startMs = performance.now();
  const clients = Array.from({ length: 300 }, () => connectRaw(port));
  clients.forEach((client, i) => client.send(beginnings[i % beginnings.length] ?? ''));
  const drip = setInterval(() => {
    for (const { socket } of clients) if (socket.writable) socket.write('a');
  }, 50);
  const lastMs = Promise.all(clients.map(({ closed }) => closed)).then(() => performance.now() - startMs);
  void lastMs.finally(() => clearInterval(drip));
  return { clients, lastMs };
}

describe('300 slow connections', () => {
  it.each([
    ['heads', ['POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nX-A: ', 'GET /health HTTP/1.1\r\nX-', 'P']],
    [
      'bodies',
      [headOf(AUTHORIZATION, 'Content-Length: 100000'), headOf(AUTHORIZATION, 'Transfer-Encoding: chunked')],
    ],
    ['bodies of who has no key', [headOf('Content-Length: 100000')]],
  ])('are closed within their limit and 7 s, while others are served as ever: %s', async (_, beginnings) => {
    const { gateway, backend } = await start({ HEADERS_TIMEOUT_MS: '500', REQUEST_TIMEOUT_MS: '1000' });
    const { clients, lastMs } = dripOn(gateway.port, beginnings);
    const times: number[] = [];
    for (let i = 0; i < 50; i++) {
      const startMs = performance.now();
      const response = await gateway.chat(
        {},
        { headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } },
      );
      expect(response.status).toBe(200);
      await response.text();
      times.push(performance.now() - startMs);
    }
    expectWithin('an answer beside slow connections', Math.max(...times), 500);
    expectWithin('the end of slow connections', await lastMs, 1000 + 7000);
    const received = await Promise.all(clients.map(({ closed }) => closed));
    expect(received.flatMap(statusesOf).every((status) => ['400', '401', '408'].includes(status))).toBe(true);
    expect(backend.calls).toHaveLength(50);
  });
});

describe('a flood of headers', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `X-${String(i)}: a`);

  it.each([
    ['10,000 headers', many(10_000), {}],
    ['10,000 headers where heads may be large', many(10_000), { MAX_HEADER_BYTES: '1mb' }],
    ['201 small ones', many(197), {}],
    ['a header of 1 MB', [`X-A: ${'a'.repeat(MB)}`], {}],
    ['a name of 1 MB', [`${'a'.repeat(MB)}: a`], {}],
  ])('is answered with 431: %s', async (_, lines, env) => {
    const { gateway, backend } = await start(env);
    const received = await exchangeRaw(gateway.port, headOf(AUTHORIZATION, 'Content-Length: 0', ...lines));
    expect(statusesOf(received)).toEqual(['431']);
    expect(JSON.parse(received.slice(received.indexOf('\r\n\r\n')))).toMatchObject({
      error: { type: 'invalid_request_error', message: expect.stringMatching(/headers/) },
    });
    expect(backend.calls).toEqual([]);
  });

  it('no header is left out where all are looked at: a second key behind 190 others is seen', async () => {
    const { gateway } = await start();
    const lines = [
      AUTHORIZATION,
      'Content-Length: 0',
      'Connection: close',
      ...many(190),
      'Authorization: Bearer x',
    ];
    expect(statusesOf(await exchangeRaw(gateway.port, headOf(...lines)))).toEqual(['401']);
  });

  it('a path of 1 MB is answered with 431', async () => {
    const { gateway } = await start();
    const received = await exchangeRaw(gateway.port, `GET /${'a'.repeat(MB)} HTTP/1.1\r\nHost: g\r\n\r\n`);
    expect(statusesOf(received)).toEqual(['431']);
  });
});

it.each(['/v1/chat/completions', '/v1/completions', '/v1/embeddings'])(
  'a body that is announced too large is refused on %s before any of it is read',
  async (path) => {
    const { gateway, backend } = await start({ BODY_LIMIT: '1mb' });
    const client = connectRaw(gateway.port);
    client.send(headOf(AUTHORIZATION, 'Content-Length: 1048577').replace('/v1/chat/completions', path));
    const received = await client.until(/^HTTP\/1\.1 413 [^]*}}$/);
    expect(received).toContain('1048576 bytes');
    client.socket.destroy();
    expect(backend.calls).toEqual([]);
  },
);
