/** Appends rows to the file of the day. Several processes may do so at the same time. */

import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsageRow } from '../../core/usage.ts';
import { printRow } from '../../core/usage-rows.ts';
import { listFiles, partName, whenMissing } from './names.ts';

const LINE_END = 0x0a;

export interface UsageWriter {
  /** Gives back the rows that found no room, [] as a rule. Rejects when nothing could be written. */
  write(rows: readonly UsageRow[], day: string): Promise<readonly UsageRow[]>;
}

/** `maxFileBytes`: from this size on another file is begun. */
export function createUsageWriter(folder: string, maxFileBytes: () => number): UsageWriter {
  let current = { day: '', part: 0 };

  async function pathOf(day: string): Promise<string> {
    if (current.day !== day) {
      await mkdir(folder, { recursive: true });
      const parts = (await listFiles(folder)).flatMap((file) => (file.day === day ? (file.part ?? []) : []));
      current = { day, part: Math.max(0, ...parts) };
    }
    const path = join(folder, partName(day, current.part));
    const size = await stat(path).then((file) => file.size, whenMissing(0));
    if (size < maxFileBytes()) return path;
    current = { day, part: current.part + 1 };
    return join(folder, partName(day, current.part));
  }

  /** The next one looks for its folder and file anew. */
  function startOver(error: unknown): never {
    current = { day: '', part: 0 };
    throw error;
  }

  return {
    async write(rows, day) {
      const lines = rows.map((row) => Buffer.from(`${printRow(row)}\n`));
      // Opened anew each time: the operator may have moved or removed it.
      const file = await open(await pathOf(day), 'a+').catch(startOver);
      try {
        const start = (await endsWhole(file)) ? [] : [Buffer.from('\n')];
        // One call: the kernel puts it behind what others have written, and nothing in between.
        const { bytesWritten } = await file.write(Buffer.concat([...start, ...lines]));
        const written = countWhole([...start, ...lines], bytesWritten) - start.length;
        return rows.slice(Math.max(0, written));
      } finally {
        await file.close();
      }
    },
  };
}

/** A program that was killed may have left half a line: what is added must not become part of it. */
async function endsWhole(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === LINE_END;
}

/** A full disk takes the beginning: how many of the lines it has in whole. */
function countWhole(lines: readonly Buffer[], bytes: number): number {
  let end = 0;
  const firstCut = lines.findIndex((line) => (end += line.length) > bytes);
  return firstCut < 0 ? lines.length : firstCut;
}
