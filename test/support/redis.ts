/** A Redis server of the test's own, on a free port, where the machine has the program. */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe } from '@jest/globals';

const PROGRAM = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);

/** Skipped by name where there is neither Redis nor Valkey. */
export const describeWithRedis = PROGRAM === undefined ? describe.skip : describe;

export interface TestRedis {
  readonly url: string;
  /** SIGKILL; the port refuses from then on. */
  kill(): Promise<void>;
  /** On the same port, with nothing in it. */
  start(): Promise<void>;
  /** Connections stay and nothing is answered. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const port = await freePort();
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    child = spawn(PROGRAM ?? '', ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { stdout } = child;
    let text = '';
    while (!text.includes('Ready to accept connections')) {
      const [chunk] = (await once(stdout ?? process.stdin, 'data')) as [Buffer];
      text += chunk.toString();
    }
    stdout?.resume();
  }

  async function kill(): Promise<void> {
    const dying = child;
    child = undefined;
    if (dying?.exitCode !== null) return;
    const ended = once(dying, 'exit');
    dying.kill('SIGKILL');
    await ended;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${String(port)}`,
    kill,
    start,
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    close: kill,
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
