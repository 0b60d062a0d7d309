// Child processes, none of which outlives this one.

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** Between asking a process to end and ending it. */
const GRACE_MS = 3000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set();

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/**
 * @param {readonly string[]} command program and arguments
 * @param {{ env?: object, cwd?: string, logFile?: string }} options Without a log file, standard output
 *   is a pipe and errors go where ours go. Standard input stays open until we end.
 */
export function start([program, ...args], { env = process.env, cwd, logFile } = {}) {
  const log = logFile === undefined ? undefined : openSync(logFile, 'a');
  const child = spawn(program, args, { env, cwd, stdio: ['pipe', log ?? 'pipe', log ?? 'inherit'] });
  if (log !== undefined) closeSync(log);
  alive.add(child);
  child.on('exit', () => alive.delete(child));
  // A program that cannot be started has an error and no exit.
  child.on('error', () => alive.delete(child));
  child.stdin.on('error', () => {}); // it has ended: whoever waits for it will see
  return child;
}

/** Resolves when the process has ended. */
export function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
}

export async function stop(child) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await ended(child);
  clearTimeout(timer);
}

/** Every line of a child's standard output, as parsed JSON. */
export async function* readLines(child) {
  let rest = '';
  for await (const bytes of child.stdout.setEncoding('latin1')) {
    const lines = (rest + bytes).split('\n');
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}
