/** The files of the ledger: one or several for each day on which something was written. */

import { readdir } from 'node:fs/promises';

/** `usage-2026-08-21.0.jsonl` is written to; `usage-2026-08-21.jsonl` is the sum of a day that is over. */
export interface UsageFile {
  readonly name: string;
  readonly day: string;
  /** undefined: the sum of the day. */
  readonly part: number | undefined;
}

const NAME = /^usage-(\d{4}-\d\d-\d\d)(?:\.(\d{1,6}))?\.jsonl$/;

export function partName(day: string, part: number): string {
  return `usage-${day}.${String(part)}.jsonl`;
}

export function sumName(day: string): string {
  return `usage-${day}.jsonl`;
}

/** By day and part; other files of the folder are nobody's business. [] when there is no folder. */
export async function listFiles(folder: string): Promise<UsageFile[]> {
  const names = await readdir(folder).catch(whenMissing<string[]>([]));
  return names.flatMap(toFile).sort((a, b) => compare(a.day, b.day) || (a.part ?? -1) - (b.part ?? -1));
}

/** Those that count: the parts of a day are in its sum, once there is one. */
export function withoutSummed(files: readonly UsageFile[]): UsageFile[] {
  const summed = new Set(files.flatMap(({ day, part }) => (part === undefined ? day : [])));
  return files.filter(({ day, part }) => part === undefined || !summed.has(day));
}

/** For `catch`: gives `fallback` when there is no such file, and throws everything else. */
export function whenMissing<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return fallback;
    throw error;
  };
}

function toFile(name: string): UsageFile[] {
  const [, day, part] = NAME.exec(name) ?? [];
  return day === undefined ? [] : [{ name, day, part: part === undefined ? undefined : Number(part) }];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
