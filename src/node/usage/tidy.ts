/** Days that are over become one file of sums each, and are removed when they are too old. */

import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSums, printRow, type Sums } from '../../core/usage-rows.ts';
import { listFiles, sumName, type UsageFile } from './names.ts';
import { readOn } from './reader.ts';

/** After midnight, for those who have begun to write before it. */
const GRACE_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** When the next day is over. */
export function nextTidyMs(wallMs: number): number {
  return (Math.floor((wallMs - GRACE_MS) / DAY_MS) + 1) * DAY_MS + GRACE_MS;
}

/** The first day that is not over for good. */
export function openDayMs(wallMs: number): number {
  return wallMs - GRACE_MS;
}

/** Days such as 2026-08-21. May run in several processes at the same time. */
export async function tidy(folder: string, openDay: string, oldestDay: string): Promise<void> {
  const files = await listFiles(folder);
  const old = files.filter(({ day }) => day < oldestDay);
  for (const { name } of old) await rm(join(folder, name), { force: true });
  const over = files.filter(({ day }) => day >= oldestDay && day < openDay);
  for (const day of new Set(over.map((file) => file.day))) {
    const ofDay = over.filter((file) => file.day === day);
    await sumDay(folder, day, ofDay);
  }
}

/**
 * The sum takes its name only when it is whole, and its parts go only then. Two who do it at the
 * same time make the same of the same parts; who finds the sum removes what was left behind.
 */
async function sumDay(folder: string, day: string, files: readonly UsageFile[]): Promise<void> {
  const parts = files.flatMap(({ name, part }) => (part === undefined ? [] : join(folder, name)));
  if (parts.length === 0) return;
  if (parts.length === files.length) {
    const sums = await sumFiles(parts);
    // Somebody else has begun to remove them.
    if (!sums) return;
    const draft = join(folder, `${sumName(day)}.${randomUUID()}`);
    await writeFile(
      draft,
      sums
        .rows()
        .map((row) => `${printRow(row)}\n`)
        .join(''),
    );
    await rename(draft, join(folder, sumName(day)));
  }
  for (const part of parts) await rm(part, { force: true });
}

/** undefined when one of them is not there. */
async function sumFiles(paths: readonly string[]): Promise<Sums | undefined> {
  const all = createSums();
  for (const path of paths) {
    const bookmark = await readOn(path);
    if (!bookmark) return undefined;
    for (const row of bookmark.sums.rows()) all.add(row);
  }
  return all;
}
