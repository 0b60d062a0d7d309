/** How a program stands: what is left in its memory after a collection, what it has open, what it counts. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from '@jest/globals';
import { tellFigure } from '../support/figures.ts';
import { sleep } from '../support/load.ts';
import type { RunningProgram } from '../support/programs.ts';
import { eventually } from '../support/setup.ts';

export const MB = 1024 * 1024;

/** Above the level before, R11. */
const MAX_GROWTH = { memoryBytes: 64 * MB, descriptors: 25 };

/** A client keeps a connection for so long as the gateway says; by then it has closed those to backends, too. */
const KEPT_MS = 5000;

/** Loaded before the program: a signal has it collect its garbage and say how it stands. */
const TELLING = `
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
let asked = 0;
process.on('SIGUSR2', () => {
  collect();
  // What was kept alive by callbacks of this turn goes with the second one.
  setTimeout(() => {
    collect();
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    const level = {
      rssBytes: rss,
      memoryBytes: rss - (heapTotal - heapUsed),
      descriptors: readdirSync('/dev/fd').length,
    };
    process.stdout.write('level ' + String(++asked) + ': ' + JSON.stringify(level) + '\\n');
  }, 200);
});`;

const GAUGES = ['ai_gateway_active_streams', 'ai_gateway_backend_in_flight', 'ai_gateway_queue_depth'];

export interface Level {
  readonly rssBytes: number;
  /**
   * Of that, without what V8 keeps free in its heap: its young generation takes 2 or 32 MB when nothing
   * is in it, as it was last needed, and the idle program is now in the one state and now in the other.
   */
  readonly memoryBytes: number;
  readonly descriptors: number;
}

export interface LevelWatch {
  /** Of the idle program: without kept connections, and after a collection. */
  level(): Promise<Level>;
  /** Waits until nothing goes on, and holds the level against one before; tells both. */
  expectReturnTo(before: Level, name: string): Promise<void>;
}

/** The program has to be started with it. */
export function tellingEnv(): Record<string, string> {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'telling.mjs');
  writeFileSync(path, TELLING);
  return {
    NODE_OPTIONS: `--import ${pathToFileURL(path).href}`,
    USAGE_ENABLED: 'false',
    KEEP_ALIVE_TIMEOUT_MS: String(KEPT_MS),
  };
}

export function watchLevel(program: RunningProgram): LevelWatch {
  let asked = 0;

  async function level(): Promise<Level> {
    await sleep(KEPT_MS + 1000);
    const mark = `level ${String(++asked)}: `;
    program.process.kill('SIGUSR2');
    await eventually(async () => (await program.until('curl')).includes(`${mark}{`));
    const [line = ''] = (await program.until(mark)).split(mark).at(-1)?.split('\n') ?? [];
    return JSON.parse(line) as Level;
  }

  return {
    level,
    async expectReturnTo(before, name) {
      await eventually(async () => (await sumOf(program, GAUGES)) === 0);
      const after = await level();
      const memoryBytes = after.memoryBytes - before.memoryBytes;
      const descriptors = after.descriptors - before.descriptors;
      tellFigure(
        name,
        `memory ${printGrowth(memoryBytes / MB)} MB (from ${(before.memoryBytes / MB).toFixed(0)} MB), ` +
          `descriptors ${printGrowth(descriptors)}, gauges 0`,
      );
      expect(memoryBytes).toBeLessThanOrEqual(MAX_GROWTH.memoryBytes);
      expect(descriptors).toBeLessThanOrEqual(MAX_GROWTH.descriptors);
    },
  };
}

/** All samples of these metrics together. */
export async function sumOf({ origin }: RunningProgram, names: readonly string[]): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => names.some((name) => line.startsWith(`${name} `) || line.startsWith(`${name}{`)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

function printGrowth(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(0)}`;
}
