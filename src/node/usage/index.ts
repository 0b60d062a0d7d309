/** The ledger's files: appended to, read again, and kept in bounds. */

import { mkdir } from 'node:fs/promises';
import type { Logger } from '../../core/exchange.ts';
import type { UsageRow, UsageStore } from '../../core/usage.ts';
import { dayOf } from '../../core/usage-rows.ts';
import { createFailureLog } from './failure-log.ts';
import { createUsageReader } from './reader.ts';
import { nextTidyMs, openDayMs, tidy } from './tidy.ts';
import { createUsageWriter } from './writer.ts';

export interface UsageFilesOptions {
  readonly folder: string;
  readonly settings: () => {
    /** Of a file that is added to; then another one is begun. */
    readonly maxFileBytes: number;
    readonly keepDays: number;
  };
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly logger: Logger;
}

const DAY_MS = 86_400_000;

/** Several processes may share a folder. One that cannot be used is told of once: until it can be again. */
export function createUsageFiles({ folder, settings, wallClock, logger }: UsageFilesOptions): UsageStore {
  const writer = createUsageWriter(folder, () => settings().maxFileBytes);
  const reader = createUsageReader(folder);
  const failures = createFailureLog(logger, folder);
  let tidyMs = 0;

  async function tidyUp(nowMs: number): Promise<void> {
    tidyMs = nextTidyMs(nowMs);
    const oldest = dayOf(nowMs - settings().keepDays * DAY_MS);
    // Made at the start, so that a folder that cannot be had is told of before it is needed.
    await mkdir(folder, { recursive: true });
    await tidy(folder, dayOf(openDayMs(nowMs)), oldest);
  }

  return {
    async append(rows) {
      const nowMs = wallClock();
      try {
        if (nowMs >= tidyMs) await tidyUp(nowMs);
        const left = rows.length === 0 ? rows : await writer.write(rows, dayOf(nowMs));
        if (rows.length > 0) failures.note(left.length > 0 ? new Error('the disk is full') : undefined);
        return left;
      } catch (error) {
        failures.note(error);
        return rows;
      }
    },

    async read(fromDay = '') {
      try {
        return await reader.read(fromDay);
      } catch (error) {
        failures.note(error);
        return [] as UsageRow[];
      }
    },
  };
}
