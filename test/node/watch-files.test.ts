/** Files that change while the program runs. */

import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { watchFiles, type FileWatch } from '../../src/node/watch-files.ts';
import { eventually } from '../support/setup.ts';

let folder: string;
let read: Map<string, string>;
let changes: number;
let files: FileWatch | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'));
  read = new Map();
  changes = 0;
});
afterEach(() => files?.close());

/** As a reload does: what is read anew is no change any more. */
function start(): void {
  files = watchFiles(read, () => {
    changes++;
    for (const path of read.keys()) load(path);
  });
}

function load(path: string): void {
  try {
    read.set(path, readFileSync(path, 'utf8'));
  } catch {
    read.set(path, '');
  }
}

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

it('a file that is written, replaced, taken away or made is seen, once for each', async () => {
  const path = write('a', 'one');
  load(path);
  start();
  expect(changes).toBe(0);
  const steps = [
    () => write('a', 'two'),
    () => renameSync(write('b', 'three'), path),
    () => rmSync(path),
    () => write('a', 'four'),
  ];
  for (const [i, step] of steps.entries()) {
    step();
    await eventually(() => changes === i + 1);
  }
  expect(read.get(path)).toBe('four');
});

it('what was changed between reading and watching is seen at once', () => {
  const path = write('a', 'one');
  load(path);
  write('a', 'two');
  start();
  expect(changes).toBe(1);
});

it('a file of another folder is watched from the next look on', async () => {
  load(write('a', 'one'));
  start();
  const other = write('elsewhere/b', 'one');
  load(other);
  files?.look();
  expect(changes).toBe(0);
  writeFileSync(other, 'two');
  await eventually(() => changes === 1);
});

it('a link that points to another folder is a change, as in a volume of Kubernetes', async () => {
  write('..1/keys.json', 'one');
  write('..2/keys.json', 'two');
  symlinkSync('..1', join(folder, '..data'));
  symlinkSync(join('..data', 'keys.json'), join(folder, 'keys.json'));
  load(join(folder, 'keys.json'));
  start();
  symlinkSync('..2', join(folder, '..tmp'));
  renameSync(join(folder, '..tmp'), join(folder, '..data'));
  await eventually(() => changes === 1);
  expect(read.get(join(folder, 'keys.json'))).toBe('two');
});
