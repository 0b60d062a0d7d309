// What the machine has: its CPUs, who gets which, and how busy they are.

import { accessSync, constants, readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { delimiter, join } from 'node:path';

/** The unit of CPU times in /proc (USER_HZ), the same on every architecture that Node runs on. */
export const TICKS_PER_SECOND = 100;

/**
 * The path of a program, or undefined.
 * @param {string} name
 */
export function findProgram(name) {
  const directories = (process.env.PATH ?? '').split(delimiter);
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @typedef {object} Placement
 * @property {(string | undefined)[]} server prefix of the command of the server that is measured
 * @property {string[]} rest prefix of everything else's
 * @property {boolean} isPinned
 */

/**
 * The measured server gets CPU 0 for itself, the load generator and the backend share the others.
 * @returns {Placement}
 */
export function placeOnCpus() {
  const taskset = findProgram('taskset');
  const count = cpus().length;
  if (!taskset || count < 2) return { server: [], rest: [], isPinned: false };
  return { server: [taskset, '-c', '0'], rest: [taskset, '-c', `1-${count - 1}`], isPinned: true };
}

/** Seconds that CPU 0 has worked since it started, whoever it worked for; time taken by the host included. */
export function busySecondsOfServerCpu() {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1')
    .split('\n')
    .find((line) => line.startsWith('cpu0 '))
    .split(/ +/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** How many descriptors a process may have open; Node raises its own limit to this. */
export function descriptorLimit() {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

export function describeMachine() {
  return {
    date: new Date().toISOString(),
    cpu: `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}`,
    kernel: release(),
    node: process.version,
    loadAverage: loadavg()[0],
  };
}
