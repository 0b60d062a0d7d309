/** Reads what all processes have written: each file from where the last look at it ended. */

import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsageRow } from '../../core/usage.ts';
import { createSums, readRow, type Sums } from '../../core/usage-rows.ts';
import { listFiles, whenMissing, withoutSummed, type UsageFile } from './names.ts';

const CHUNK_BYTES = 256 * 1024;
const LINE_END = 0x0a;
/** Files vanish when their day is summed, which happens once a day. */
const MAX_TRIES = 3;

export interface UsageReader {
  /** Rejects when the folder cannot be read. */
  read(fromDay: string): Promise<UsageRow[]>;
}

/** How far a file was read, and what stood there. */
interface Bookmark {
  /** The byte after the last whole line. */
  offset: number;
  readonly sums: Sums;
}

export function createUsageReader(folder: string): UsageReader {
  const bookmarks = new Map<string, Bookmark>();
  let last: Promise<unknown> = Promise.resolve();

  async function read(fromDay: string, tries = 1): Promise<UsageRow[]> {
    const files = withoutSummed(await listFiles(folder));
    forgetOthers(files);
    const rows: UsageRow[] = [];
    // A row is never written before its day.
    for (const { name } of files.filter(({ day }) => day >= fromDay)) {
      const bookmark = await readOn(join(folder, name), bookmarks.get(name));
      if (!bookmark && tries < MAX_TRIES) return read(fromDay, tries + 1);
      if (!bookmark) continue;
      bookmarks.set(name, bookmark);
      rows.push(...bookmark.sums.rows());
    }
    return rows;
  }

  function forgetOthers(files: readonly UsageFile[]): void {
    const names = new Set(files.map(({ name }) => name));
    for (const name of bookmarks.keys()) if (!names.has(name)) bookmarks.delete(name);
  }

  return {
    /** One after the other: a bookmark has one reader. */
    read(fromDay) {
      const rows = last.catch(() => undefined).then(() => read(fromDay));
      last = rows;
      return rows;
    },
  };
}

/** Goes on from the bookmark, if there is one. undefined when there is no such file (any more). */
export async function readOn(path: string, before?: Bookmark): Promise<Bookmark | undefined> {
  const file = await open(path, 'r').catch(whenMissing(undefined));
  if (!file) return undefined;
  try {
    const { size } = await file.stat();
    // Somebody has put another one in its place.
    const bookmark = before && before.offset <= size ? before : { offset: 0, sums: createSums() };
    while (bookmark.offset < size && (await readChunk(file, bookmark)));
    return bookmark;
  } finally {
    await file.close();
  }
}

/** False when no whole line is left: the last one may still be written to. */
async function readChunk(file: FileHandle, bookmark: Bookmark): Promise<boolean> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, bookmark.offset);
  const end = chunk.subarray(0, bytesRead).lastIndexOf(LINE_END);
  if (end < 0) {
    // So long a line is no row of ours.
    const isTooLong = bytesRead === CHUNK_BYTES;
    if (isTooLong) bookmark.offset += bytesRead;
    return isTooLong;
  }
  for (const line of chunk.toString('utf8', 0, end).split('\n')) {
    const row = readRow(line);
    if (row) bookmark.sums.add(row);
  }
  bookmark.offset += end + 1;
  return true;
}
