/** What a test proves of the README's table. The reporter beside this file collects it. */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { KindName } from '../../src/core/fleet.ts';
import type TABLE from './features.json';

/** What a cell says. `by setting`: when the operator names the backend for it. */
export type Word = 'yes' | 'by the gateway' | 'emulated' | 'as it is' | 'by setting' | 'no';

/**
 * To be called inside the test, which must pass for the cell to say so. No cell says two things: tests
 * that prove the same cell prove the same word.
 */
export function proves(feature: keyof typeof TABLE.features, kind: KindName, word: Word): void {
  const folder = process.env.COMPATIBILITY_CLAIMS;
  // Another reporter than the project's own collects nothing.
  if (folder === undefined) return;
  const { testPath: file, currentTestName: test } = expect.getState();
  const claim = { feature, kind, word, file, test };
  appendFileSync(join(folder, `${String(process.pid)}.jsonl`), `${JSON.stringify(claim)}\n`);
}
