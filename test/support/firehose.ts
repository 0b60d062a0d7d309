/** A backend that says as much as is taken from it, and readers that take nothing. */

import type { Socket } from 'node:net';
import { openSocket, printChat } from './bare-socket.ts';
import { sleep } from './load.ts';
import type { Script, ScriptedBackend } from './scripted-backend.ts';
import { eventually } from './setup.ts';
import type { Speech } from './speech.ts';

/** Records without an end. */
export function firehose({ token }: Pick<Speech, 'token'>): Script {
  const records = token('x'.repeat(1000)).repeat(64);
  return async ({ write, res }) => {
    while (!res.destroyed) await write(records);
  };
}

/** What the kernel was given of each answer that goes on. */
export function takenOf({ calls }: ScriptedBackend): number[] {
  return calls
    .filter(({ res }) => !res.closed)
    .map(({ socket }) => socket.bytesWritten - socket.writableLength);
}

/** Nobody takes any more: all buffers on the way are full. */
export async function isStuck(backend: ScriptedBackend, readers: number): Promise<void> {
  let before = -1;
  await eventually(async () => {
    const taken = takenOf(backend);
    const sum = taken.reduce((a, b) => a + b, 0);
    const hasStopped = taken.length === readers && sum === before;
    before = sum;
    await sleep(150);
    return hasStopped;
  });
}

export function openReaders(port: number, count: number, body: object = { stream: true }): Socket[] {
  return Array.from({ length: count }, () => {
    const socket = openSocket(port, { isPaused: true });
    socket.write(printChat(body));
    return socket;
  });
}
