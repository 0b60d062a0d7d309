/** SIGTERM under load: what goes on is finished, nothing new is taken, and the program ends with 0. */

import { beforeAll, describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms } from '../../support/programs.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const start = createPrograms();
const STREAMS = 200;

beforeAll(buildProgram, 60_000);

describe.each([1, 2])('SIGTERM for a program of %d', (workers) => {
  it('cuts none of 200 streams, refuses new ones, and ends with 0', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      await call.write(ollamaToken('one'));
      calls.push(call);
    });
    const program = await start({ OLLAMA_BASE_URL: backend.url, WORKERS: String(workers) });
    if (workers > 1) await program.listening(workers);
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, async () => {
        const stream = openStream(await program.chat({ stream: true }));
        await stream.until('one');
        return stream;
      }),
    );
    program.process.kill('SIGTERM');
    // Each worker hears of it by itself.
    await eventually(async () => (await fetch(`${program.origin}/readyz`)).status === 503);
    await eventually(async () => {
      const response = await program.chat({ stream: true });
      if (response.status === 200) await response.body?.cancel();
      return response.status === 503;
    });
    const refused = await program.chat();
    expect([refused.headers.get('connection'), refused.headers.get('retry-after')]).toEqual(['close', '1']);
    expect(await expectError(refused)).toMatchObject({ status: 503, code: 'shutting_down' });
    for (const call of calls) call.end(ollamaToken('two') + ollamaDone());
    const ends = await Promise.all(streams.map(async (stream) => parseStream(await stream.rest())));
    expect(ends.filter(({ text, isDone }) => text === 'onetwo' && isDone)).toHaveLength(STREAMS);
    expect((await program.ended).code).toBe(0);
  });

  it('ends streams without an end with an error, in time, and with 0', async () => {
    const backend = await setup.backend(({ write }) => write(ollamaToken('one')));
    const program = await start({
      OLLAMA_BASE_URL: backend.url,
      WORKERS: String(workers),
      DRAIN_TIMEOUT: '500',
    });
    const streams = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stream = openStream(await program.chat({ stream: true }));
        await stream.until('one');
        return stream;
      }),
    );
    program.process.kill('SIGTERM');
    for (const stream of streams) {
      expect(parseStream(await stream.rest())).toMatchObject({
        text: 'one',
        isDone: false,
        error: { code: 'shutting_down' },
      });
    }
    expect((await program.ended).code).toBe(0);
    await eventually(() => backend.calls.every(({ res }) => res.closed));
  });
});

describe('a drain', () => {
  it('serves who waits in line, too', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, BACKEND_CONCURRENCY: '1' },
    });
    const answers = [gateway.chat(), gateway.chat({ stream: true })];
    await eventually(() => gateway.active() === 2 && calls.length === 1);
    gateway.deps.enter('draining');
    const drained = gateway.drain(30_000);
    for (let i = 0; i < 2; i++) {
      await eventually(() => calls.length === i + 1);
      const call = calls[i];
      if (call) await saying('fine')(call);
    }
    for (const answer of answers) expect(await (await answer).text()).toContain('fine');
    await drained;
  });

  it('does not wait for connections that carry nothing', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    // The connections of these are kept by the client.
    await Promise.all(Array.from({ length: 10 }, async () => (await gateway.chat()).text()));
    const startedMs = performance.now();
    await gateway.drain(30_000);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});
