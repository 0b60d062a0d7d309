/** Clients that read slowly, or not at all: what they cost is bounded, and for how long. */

import type { Socket } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { tellFigure } from '../../support/figures.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { sleep } from '../../support/load.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms } from '../../support/programs.ts';
import { openSocket } from '../../support/bare-socket.ts';
import { firehose, isStuck, openReaders, takenOf } from '../../support/firehose.ts';
import { ollamaDone, ollamaToken, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { SPEECHES } from '../../support/speech.ts';

const setup = createSetup();
const start = createPrograms();
const MB = 1024 * 1024;
const READERS = 10;
const STALLED_MS = 5000;

describe('ten readers that do not read, in front of a firehose', () => {
  beforeAll(buildProgram, 60_000);

  it.each(SPEECHES)('(%s) stop their backends, and the gateway does not grow', async (_, speech) => {
    const backend = await setup.backend(firehose(speech));
    const { origin, metric, chat } = await start({ [speech.variable]: backend.url });
    const before = await metric('process_resident_memory_bytes ');
    const sockets = openReaders(Number(new URL(origin).port), READERS);
    await isStuck(backend, READERS);
    const most = Math.max(...takenOf(backend));
    const grown = (await metric('process_resident_memory_bytes ')) - before;
    tellFigure('paused readers', `${(most / MB).toFixed(1)} MB each, RSS +${(grown / MB).toFixed(0)} MB`);
    // Most of it lies in the buffers of the kernel, on both sides of the gateway.
    expect(most).toBeLessThan(32 * MB);
    expect(grown).toBeLessThan(120 * MB);
    backend.script(({ end }) => end(speech.token('quick') + speech.done()));
    expect(await (await chat({ stream: true })).text()).toContain('[DONE]');
    for (const socket of sockets) socket.destroy();
    await eventually(() => backend.calls.every(({ res }) => res.closed));
  });
});

describe('a reader that has stalled', () => {
  /** The gateway has nothing of it any more, and its connection is closed. */
  async function expectGone(gateway: TestGateway, backend: ScriptedBackend, reader: Socket): Promise<void> {
    await eventually(() => gateway.active() === 0 && gateway.deps.pool.inFlight() === 0);
    await eventually(() => backend.calls.every(({ res }) => res.closed));
    reader.resume();
    await eventually(() => reader.closed);
  }

  it.each(SPEECHES)('in the middle of a stream of %s is cut when its time is over', async (_, speech) => {
    const backend = await setup.backend(firehose(speech));
    const env = { [speech.variable]: backend.url, STALLED_READER_MS: String(STALLED_MS) };
    const gateway = await setup.gateway({ env, isClockStopped: true });
    const [reader] = openReaders(gateway.port, 1) as [Socket];
    await isStuck(backend, 1);
    gateway.advance(1); // sees that it does not read
    gateway.advance(STALLED_MS - 1);
    expect(gateway.active()).toBe(1);
    gateway.advance(1);
    await expectGone(gateway, backend, reader);
    expect(await gateway.metric('ai_gateway_streams_total', { status: 'client_aborted' })).toBe(1);
    const line = gateway.logs.find(({ fields }) => fields.route === '/v1/chat/completions');
    expect(line?.fields).toMatchObject({ outcome: 'client_aborted', error: { reason: 'client_stalled' } });
    // It says nothing of the backend.
    expect(gateway.deps.status()[0]).toMatchObject({ circuit: 'closed', isUp: true });
  });

  it('in what is passed on raw is cut too', async () => {
    const backend = await setup.backend(async ({ write, res }) => {
      while (!res.destroyed) await write('x'.repeat(64 * 1024));
    });
    const env = { VLLM_BASE_URL: backend.url, STALLED_READER_MS: String(STALLED_MS) };
    const gateway = await setup.gateway({ env, isClockStopped: true });
    const reader = openSocket(gateway.port, { isPaused: true });
    reader.write('GET /v1/files/f/content HTTP/1.1\r\nhost: x\r\n\r\n');
    await isStuck(backend, 1);
    gateway.advance(1);
    gateway.advance(STALLED_MS - 1);
    expect(gateway.deps.pool.inFlight()).toBe(1);
    gateway.advance(1);
    await expectGone(gateway, backend, reader);
  });

  const SHORT_MS = 400;
  const WHOLE: readonly (readonly [string, object])[] = [
    ['in one piece', { stream: false }],
    ['of a stream', { stream: true }],
  ];

  it.each(WHOLE)('is cut also when the whole answer was written already (%s)', async (_, body) => {
    const backend = await setup.backend(({ end }) => end(ollamaToken('y'.repeat(14 * MB)) + ollamaDone()));
    const env = { OLLAMA_BASE_URL: backend.url, STALLED_READER_MS: String(SHORT_MS) };
    const gateway = await setup.gateway({ env });
    const [reader] = openReaders(gateway.port, 1, body) as [Socket];
    await eventually(() => gateway.logs.some(({ message }) => message === 'request'));
    await expectGone(gateway, backend, reader);
    expect(reader.bytesRead).toBeLessThan(14 * MB);
  });

  it.each(WHOLE)('is not one that reads slowly: it gets all of it (%s)', async (_, body) => {
    const backend = await setup.backend(({ end }) => end(ollamaToken('y'.repeat(14 * MB)) + ollamaDone()));
    const env = { OLLAMA_BASE_URL: backend.url, STALLED_READER_MS: String(SHORT_MS) };
    const gateway = await setup.gateway({ env });
    const [reader] = openReaders(gateway.port, 1, body) as [Socket];
    const startedMs = performance.now();
    while (reader.bytesRead < 14 * MB && !reader.closed) {
      reader.read(MB);
      await sleep(100);
    }
    expect(reader.bytesRead).toBeGreaterThanOrEqual(14 * MB);
    expect(performance.now() - startedMs).toBeGreaterThan(2 * SHORT_MS);
    reader.destroy();
  });
});
