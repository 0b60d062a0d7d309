/** The README claims of each kind what a test proves, and nothing else. */

import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { FEATURES, renderTable } from './features.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

const PROOFS = FEATURES.flatMap(({ name, proofs }) => proofs.map((proof) => ({ name, ...proof })));

it('the table of the README is the one that features.ts makes', () => {
  const [, shown] = /<!-- compatibility -->\n([^]*?)<!-- \/compatibility -->/.exec(read('README.md')) ?? [];
  expect(shown).toBe(`\n${renderTable(FEATURES)}\n`);
});

it.each(PROOFS)('$name is proved by "$title"', ({ file, title }) => {
  const tests = read(file);
  expect([`'${title}'`, `"${title}"`].some((quoted) => tests.includes(quoted))).toBe(true);
});
