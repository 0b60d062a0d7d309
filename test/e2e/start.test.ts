/** The first second of the program: it serves before it knows what it will serve. */

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { LOCAL_CANDIDATES } from '../../src/node/detect.ts';
import { buildProgram, runProgram, type Program } from '../support/program.ts';
import { eventually } from '../support/setup.ts';

const running: Program[] = [];
const silences: Silence[] = [];

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGTERM');
    await program.ended;
  }
  for (const silence of silences.splice(0)) silence.end();
});

/** A server that takes connections and says nothing, until it ends them. */
interface Silence {
  end(): void;
}

/** undefined when the port is taken. */
async function silence(port: number): Promise<Silence | undefined> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    sockets.add(socket);
  });
  const isOpen = once(server, 'listening').then(() => true);
  const isTaken = once(server, 'error').then(() => false);
  server.listen(port, '127.0.0.1');
  if (!(await Promise.race([isOpen, isTaken]))) return undefined;
  const begun: Silence = {
    end() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  silences.push(begun);
  return begun;
}

/** Something on this machine that a search for model servers must wait for; undefined when all ports are taken. */
async function silenceOnAnyLocalPort(): Promise<Silence | undefined> {
  for (const { url } of LOCAL_CANDIDATES) {
    const begun = await silence(Number(new URL(url).port));
    if (begun) return begun;
  }
  return undefined;
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return String(port);
}

async function statusOf(url: string): Promise<number> {
  return (await fetch(url).catch(() => undefined))?.status ?? 0;
}

it.each(['1', '2'])(
  'is alive and not ready while it looks for model servers, and requests for models wait (workers: %s)',
  async (workers) => {
    const silent = await silenceOnAnyLocalPort();
    if (!silent) return;
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const program = runProgram({ PORT: port, WORKERS: workers, SEARCH_TIMEOUT_MS: '60000' });
    running.push(program);
    let screen = '';
    const shown = program.until('curl').then((text) => (screen = text));

    await eventually(async () => (await statusOf(`${origin}/health`)) === 200);
    const models = fetch(`${origin}/v1/models`);
    const readiness = await fetch(`${origin}/readyz`);
    expect([readiness.status, await readiness.json()]).toEqual([
      503,
      { status: 'no backend is up', backends: { up: 0, total: 0 } },
    ]);
    expect(screen).toBe('');
    silent.end();

    const { data } = (await (await models).json()) as { data: unknown[] };
    expect(data.length).toBeGreaterThan(0);
    await shown;
    expect(await statusOf(`${origin}/readyz`)).toBe(200);
  },
);

it('ends in the middle of the search when it is told to', async () => {
  if (!(await silenceOnAnyLocalPort())) return;
  const port = await freePort();
  const program = runProgram({ PORT: port, SEARCH_TIMEOUT_MS: '60000' });
  running.push(program);
  await eventually(async () => (await statusOf(`http://127.0.0.1:${port}/health`)) === 200);
  program.process.kill('SIGTERM');
  const { code, stdout } = await program.ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain('curl');
});
