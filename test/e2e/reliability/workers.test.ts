/** Workers are killed: the others serve, they are replaced, and nobody is left behind. */

import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { expectWithin } from '../../support/figures.ts';
import { atPace, sleep } from '../../support/load.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms, type RunningProgram } from '../../support/programs.ts';
import {
  ollamaDone,
  ollamaToken,
  saying,
  type ScriptedBackend,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const start = createPrograms();
const OWN_CONNECTION = { headers: { 'content-type': 'application/json', connection: 'close' } };

beforeAll(buildProgram, 60_000);

/** The processes that have begun to listen so far, in order. */
async function pidsOf({ until }: RunningProgram): Promise<number[]> {
  const screen = await until('worker listens');
  return Array.from(screen.matchAll(/worker listens pid=(\d+)/g), ([, pid]) => Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

it('one of two that is killed costs none of 200 requests, and is replaced', async () => {
  const backend = await setup.backend(saying('fine'));
  const program = await start({ OLLAMA_BASE_URL: backend.url, WORKERS: '2' });
  await program.listening(2);
  const [victim = NaN] = await pidsOf(program);
  const killedMs = performance.now();
  process.kill(victim, 'SIGKILL');
  const replaced = program.listening(3).then(() => performance.now() - killedMs);
  const statuses = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const response = await program.chat({ stream: i % 2 === 0 }, OWN_CONNECTION);
      const text = await response.text();
      return response.status === 200 && text.includes('fine') ? 'served' : text;
    }),
  );
  expect(statuses.filter((status) => status !== 'served')).toEqual([]);
  expectWithin('a worker is replaced after', await replaced, 5000);
});

it('the streams of the others go on', async () => {
  const calls: ScriptedCall[] = [];
  const backend = await setup.backend(async (call) => {
    await call.write(ollamaToken('one'));
    calls.push(call);
  });
  const program = await start({ OLLAMA_BASE_URL: backend.url, WORKERS: '2' });
  await program.listening(2);
  const streams = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const stream = openStream(await program.chat({ stream: true }, OWN_CONNECTION));
      await stream.until('one');
      return stream;
    }),
  );
  const [victim = NaN] = await pidsOf(program);
  process.kill(victim, 'SIGKILL');
  await program.until('worker died');
  // What the victim had asked for is let go.
  await eventually(() => calls.some(({ res }) => res.closed));
  for (const call of calls) call.end(ollamaToken('two') + ollamaDone());
  const ends = await Promise.allSettled(streams.map(async (stream) => parseStream(await stream.rest())));
  const whole = ends.filter((end) => end.status === 'fulfilled' && end.value.isDone);
  expect(whole.length).toBeGreaterThan(0);
  for (const end of ends) {
    if (end.status === 'rejected') continue;
    expect(end.value.text).toBe(end.value.isDone ? 'onetwo' : 'one');
  }
});

it('one that is killed under load keeps no client waiting: its connections break, or others take them', async () => {
  const backend = await setup.backend(saying('fine'));
  const program = await start({ OLLAMA_BASE_URL: backend.url, WORKERS: '2' });
  await program.listening(2);
  const [victim = NaN] = await pidsOf(program);
  const ends = await atPace(400, 200, async (i) => {
    if (i === 100) process.kill(victim, 'SIGKILL');
    try {
      const signal = AbortSignal.timeout(10_000);
      const response = await program.chat({}, { ...OWN_CONNECTION, signal });
      return (await response.text()).includes('fine') ? 'served' : `status ${String(response.status)}`;
    } catch (error) {
      return (error as Error).name === 'TimeoutError' ? 'left waiting' : 'broken';
    }
  });
  expect(new Set(ends.filter((end) => end !== 'broken'))).toEqual(new Set(['served']));
  // Those that were going on when it died.
  expect(ends.filter((end) => end === 'broken').length).toBeLessThan(100);
});

it('six that are killed within seconds do not end the program', async () => {
  const backend = await setup.backend(saying('fine'));
  // With all of them gone the port is given back, and any free one would not be the same again.
  const port = await freePort();
  const program = await start({ OLLAMA_BASE_URL: backend.url, WORKERS: '2', PORT: String(port) });
  const killed = new Set<number>();
  while (killed.size < 6) {
    for (const pid of await pidsOf(program)) {
      if (killed.has(pid) || killed.size === 6) continue;
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
    await sleep(10);
  }
  await eventually(async () => {
    const response = await program.chat({}, OWN_CONNECTION).catch(() => undefined);
    return response?.status === 200;
  });
});

it.each([
  ['that was there at the start', false],
  ['of a reload', true],
])(
  'one that is replaced while the file has a fault begins with the configuration %s',
  async (_, isReloaded) => {
    const old = await setup.backend(saying('old'));
    const backend = await setup.backend(saying('fine'));
    const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'gateway.yaml');
    const fileOf = ({ url }: ScriptedBackend): string =>
      `backends: [{ name: b, kind: ollama, url: "${url}" }]`;
    writeFileSync(path, fileOf(isReloaded ? old : backend));
    const program = await start({ GATEWAY_CONFIG: path, WORKERS: '2' });
    await program.listening(2);
    const seen = (text: string, times: number): Promise<void> =>
      eventually(async () => (await program.until('worker listens')).split(text).length > times);
    if (isReloaded) {
      writeFileSync(path, fileOf(backend));
      await seen('configuration reloaded', 2);
    }
    writeFileSync(path, 'backends: nonsense');
    await program.until('configuration refused');

    // One after the other: with all of them gone the port is given back.
    const [first = NaN, second = NaN] = await pidsOf(program);
    process.kill(first, 'SIGKILL');
    await program.listening(3);
    process.kill(second, 'SIGKILL');
    await program.listening(4);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => (await program.chat({}, OWN_CONNECTION)).text()),
    );
    expect(answers.filter((text) => !text.includes('fine'))).toEqual([]);

    writeFileSync(path, fileOf(old));
    await seen('configuration reloaded', isReloaded ? 4 : 2);
    expect(await (await program.chat({}, OWN_CONNECTION)).text()).toContain('old');
  },
);

it('nobody is left when the primary is killed', async () => {
  const backend = await setup.backend(saying('fine'));
  const program = await start({ OLLAMA_BASE_URL: backend.url, WORKERS: '2', DRAIN_TIMEOUT: '500' });
  await program.listening(2);
  const pids = await pidsOf(program);
  program.process.kill('SIGKILL');
  await eventually(() => !pids.some(isAlive));
});
