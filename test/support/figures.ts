/** What a test measured, for whoever asks: with `FIGURES=1` each figure is a line of standard error. */

import { expect } from '@jest/globals';

const isAsked = Boolean(process.env.FIGURES);

export function tellFigure(name: string, value: string): void {
  if (isAsked) process.stderr.write(`figure: ${name}: ${value}\n`);
}

/** So much longer it may take where much else runs, and is still no wait for a limit to be over. */
const SLACK = 100;

/** A time that is promised. It holds where nothing else runs: only those who ask for figures see to that. */
export function expectWithin(name: string, ms: number, promisedMs: number): void {
  tellFigure(name, `${ms.toFixed(ms < 100 ? 1 : 0)} ms, at most ${String(promisedMs)} ms are promised`);
  expect(ms).toBeLessThan(promisedMs * (isAsked ? 1 : SLACK));
}
