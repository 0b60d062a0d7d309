/** docs/reliability.md names tests as proofs: all of them are there, and no promise is without one. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const PAGE = fileURLToPath(new URL('../docs/reliability.md', import.meta.url));
const PROMISES = 19;

interface Proof {
  readonly path: string;
  readonly names: readonly string[];
}

/** `[word](../test/….test.ts): *name*, *name*` */
function proofsIn(text: string): Proof[] {
  return Array.from(
    text.matchAll(/\]\(\.\.\/(test\/[^)]+)\):((?:,?\s\*[^*]+\*)*)/g),
    ([, path = '', names = '']) => ({
      path,
      names: Array.from(names.matchAll(/\*([^*]+)\*/g), ([, name]) => name ?? ''),
    }),
  );
}

/** The names of the tests of a file, as they are written: with the places of their values. */
function namesIn(path: string): Set<string> {
  const source = readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
  const names = source.matchAll(/(?:\bit|\))\(\s*(['"])(.+?)\1,\s*(?:async )?[({\w]/g);
  return new Set(Array.from(names, ([, , name]) => name ?? ''));
}

const page = readFileSync(PAGE, 'utf8');

it('every promise has a figure, and proofs', () => {
  const rows = page.split('\n').filter((line) => /^\| R\d+ \|/.test(line));
  expect(rows.map((row) => row.split(' | ')[0])).toEqual(
    Array.from({ length: PROMISES }, (_, i) => `| R${String(i + 1)}`),
  );
  for (const row of rows) {
    const [, promise, figure, proofs = ''] = row.split(' | ');
    expect([promise, figure]).not.toContain('');
    expect(proofsIn(proofs).length).toBeGreaterThan(0);
  }
});

it('every proof is a test that there is', () => {
  const proofs = proofsIn(page);
  expect(proofs.length).toBeGreaterThanOrEqual(PROMISES);
  // A link to a test whose names could not be read proves nothing.
  expect(proofs).toHaveLength(page.split('](../test/').length - 1);
  const missing = proofs.flatMap(({ path, names }) => {
    if (!existsSync(fileURLToPath(new URL(`../${path}`, import.meta.url)))) return [path];
    const known = namesIn(path);
    return names.length === 0
      ? [path]
      : names.filter((name) => !known.has(name)).map((name) => `${path}: ${name}`);
  });
  expect(missing).toEqual([]);
});
