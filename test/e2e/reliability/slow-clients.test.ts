/** Clients that send slowly, or too much: they are cut off, and the others do not notice. */

import { describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { expectWithin } from '../../support/figures.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { quantile, sleep } from '../../support/load.ts';
import { openSocket, printChat, readAll } from '../../support/bare-socket.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const MB = 1024 * 1024;
const CLIENTS = 100;
const LIMIT_MS = 400;
const PAUSE_MS = 50;

async function start(env: Readonly<Record<string, string>>): Promise<TestGateway> {
  const backend = await setup.backend(saying('fine'));
  return setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ...env } });
}

/** Sends the rest a character at a time, and never all of it. */
async function drip(port: number, head: string, rest: string): Promise<{ told: string; ms: number }> {
  const startedMs = performance.now();
  const socket = openSocket(port);
  const told = readAll(socket);
  socket.write(head);
  for (let i = 0; socket.writable && i < rest.length - 1; i++) {
    socket.write(rest.charAt(i));
    await sleep(PAUSE_MS);
  }
  return { told: await told, ms: performance.now() - startedMs };
}

describe('clients that send slowly', () => {
  const [chatHead = '', chatBody = ''] = printChat().split(/(?<=\r\n\r\n)/);

  it.each([
    ['heads', 'HEADERS_TIMEOUT_MS', '', `GET /v1/models HTTP/1.1\r\nx-a: ${'a'.repeat(100)}`],
    ['bodies', 'REQUEST_TIMEOUT_MS', chatHead, chatBody],
  ])('(%s) are cut off in time, and others are served meanwhile', async (what, name, head, rest) => {
    const gateway = await start({ [name]: String(LIMIT_MS) });
    const slow = Promise.all(Array.from({ length: CLIENTS }, () => drip(gateway.port, head, rest)));
    const over = new AbortController();
    void slow.finally(() => over.abort());
    const times: number[] = [];
    while (!over.signal.aborted) {
      const startedMs = performance.now();
      expect((await gateway.chat()).status).toBe(200);
      times.push(performance.now() - startedMs);
      await sleep(20);
    }
    const ends = await slow;
    for (const { told } of ends) {
      expect(told).toMatch(/^HTTP\/1\.1 408 /);
      expect(told).toMatch(/connection: close/i);
      expect(JSON.parse(told.slice(told.indexOf('{')))).toMatchObject({
        error: { type: 'invalid_request_error' },
      });
    }
    const durations = ends.map(({ ms }) => ms);
    expect(Math.min(...durations)).toBeGreaterThanOrEqual(LIMIT_MS - 1);
    expectWithin(`slow ${what}: closed after`, quantile(durations, 1), LIMIT_MS + 7000);
    expectWithin(`slow ${what}: p99 of others`, quantile(times, 0.99), 500);
  });

  it('have no time limit on what they are answered', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      await call.write(ollamaToken('one'));
      calls.push(call);
    });
    const env = { OLLAMA_BASE_URL: backend.url, HEADERS_TIMEOUT_MS: '100', REQUEST_TIMEOUT_MS: '100' };
    const gateway = await setup.gateway({ env });
    const open = openStream(await gateway.chat({ stream: true }));
    await open.until('one');
    await sleep(400);
    calls[0]?.end(ollamaToken('two') + ollamaDone());
    expect(parseStream(await open.rest())).toMatchObject({ text: 'onetwo', isDone: true });
  });

  it('may take their time for what is passed on raw: they are no readers that have stalled', async () => {
    const backend = await setup.backend(({ end, bodyText }) => end(bodyText), {});
    const gateway = await setup.gateway({
      env: { VLLM_BASE_URL: backend.url, STALLED_READER_MS: '5000' },
      isClockStopped: true,
    });
    const socket = openSocket(gateway.port);
    const told = readAll(socket);
    socket.write(
      'POST /v1/files HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\n{',
    );
    await eventually(() => gateway.deps.pool.inFlight() === 1);
    for (let i = 0; i < 10; i++) gateway.advance(1000);
    socket.write('  }');
    expect(await told).toMatch(/^HTTP\/1\.1 200 [^]*\{ {2}\}/);
  });
});

describe('a request that is too large', () => {
  it.each([
    ['in its head', [`x-a: ${'a'.repeat(MB)}`]],
    ['in the number of its headers', Array.from({ length: 10_000 }, (_, i) => `x-${String(i)}: a`)],
  ])('%s is refused with 431, and nobody reads on', async (_, headers) => {
    const gateway = await start({});
    const socket = openSocket(gateway.port);
    const told = readAll(socket);
    socket.write(printChat({}, headers));
    expect(await told).toMatch(/^HTTP\/1\.1 431 [^]*"type":"invalid_request_error"/);
    expect((await gateway.chat()).status).toBe(200);
  });

  it('in its head may be as large as is set', async () => {
    const gateway = await start({ MAX_HEADER_BYTES: '64kb' });
    const headers = { 'content-type': 'application/json', 'x-a': 'a'.repeat(50_000) };
    expect((await gateway.chat({}, { headers })).status).toBe(200);
  });

  it('in its body is refused before the body is read', async () => {
    const gateway = await start({ BODY_LIMIT: '1mb' });
    const socket = openSocket(gateway.port);
    let told = '';
    socket.setEncoding('latin1').on('data', (text: string) => (told += text));
    socket.write(
      printChat()
        .replace(/content-length: \d+/, `content-length: ${String(100 * MB)}`)
        .split('{')[0] ?? '',
    );
    await eventually(() => told.includes('}'));
    expect(told).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('in a body of unknown length is refused when it has gone too far', async () => {
    const backend = await setup.backend(saying('never'));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, BODY_LIMIT: '1mb' } });
    const socket = openSocket(gateway.port);
    let told = '';
    socket.setEncoding('latin1').on('data', (text: string) => (told += text));
    socket.write(
      printChat()
        .replace(/content-length: \d+/, 'transfer-encoding: chunked')
        .split('{')[0] ?? '',
    );
    let sentMb = 0;
    const chunk = `${(MB / 4).toString(16)}\r\n${'a'.repeat(MB / 4)}\r\n`;
    while (!told.includes('}') && socket.writable && sentMb < 100) {
      socket.write(chunk);
      sentMb += 0.25;
      await sleep(1);
    }
    expect(told).toMatch(/^HTTP\/1\.1 413 /);
    expect(sentMb).toBeLessThan(100);
    expect(backend.calls).toHaveLength(0);
    socket.destroy();
  });
});

describe('connections', () => {
  it('above their limit are closed at once, and those below it go on', async () => {
    const gateway = await start({ MAX_CONNECTIONS: '5' });
    const sockets = Array.from({ length: 5 }, () => openSocket(gateway.port));
    await eventually(() => sockets.every(({ connecting }) => !connecting));
    const [first] = sockets;
    first?.write(printChat());
    let told = '';
    first?.setEncoding('latin1').on('data', (text: string) => (told += text));
    await eventually(() => told.includes('fine'));
    const sixth = openSocket(gateway.port);
    expect(await readAll(sixth)).toBe('');
    for (const socket of sockets) socket.destroy();
    await eventually(async () => {
      const answer = await gateway.chat().catch(() => undefined);
      return answer?.status === 200;
    });
  });

  it('without a request are closed when their time is over', async () => {
    const gateway = await start({ KEEP_ALIVE_TIMEOUT_MS: '200', HEADERS_TIMEOUT_MS: '300' });
    const used = openSocket(gateway.port);
    const told = readAll(used);
    used.write(printChat());
    expect(await told).toMatch(/^HTTP\/1\.1 200 /);
    // One that never had a request is one whose head does not come.
    expect(await readAll(openSocket(gateway.port))).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });
});

it('what is no HTTP is told so, in the form of all errors', async () => {
  const gateway = await start({});
  const socket = openSocket(gateway.port);
  const told = readAll(socket);
  socket.write('EHLO mail.example.com\r\n\r\n');
  const text = await told;
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  const response = new Response(text.slice(text.indexOf('{')), { status: 400 });
  expect((await expectError(response)).status).toBe(400);
});
