/** A cell of the README's table says what a passed test has proved, and a run finds out when it does not. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { KINDS } from '../../src/core/fleet.ts';
import type TABLE from './features.json';
import {
  differences,
  provedBy,
  renderTable,
  replaceTable,
  toRows,
  type Claim,
  type Results,
} from './table.mjs';

const FEATURES = { a: 'First', b: '`second`' };
const TWO = ['one', 'two'];

const claim = (feature: string, kind: string, word: string, test = 'x'): Claim => ({
  feature,
  kind,
  word,
  file: '/a.test.ts',
  test,
});

const CLAIMS = [claim('a', 'one', 'yes'), claim('a', 'two', 'no', 'y'), claim('b', 'two', 'as it is', 'z')];

/** Of each test in the file, what became of it. */
function endedAs(...tests: readonly (readonly [fullName: string, status: string])[]): Results {
  const testResults = tests.map(([fullName, status]) => ({ fullName, status }));
  return [{ testFilePath: '/a.test.ts', testResults }];
}

const PASSED = endedAs(['x', 'passed'], ['y', 'passed'], ['z', 'passed']);

function readmeWith(claims: readonly Claim[]): string {
  const table = renderTable(TWO, toRows(FEATURES, TWO, claims));
  return replaceTable('before\n<!-- compatibility -->\nold\n<!-- /compatibility -->\nafter', table);
}

/** What a run says of a README that was written when all tests passed. */
function saidOf(results: Results, claims: readonly Claim[] = CLAIMS): string[] {
  return differences(readmeWith(CLAIMS), TWO, toRows(FEATURES, TWO, provedBy(claims, results)));
}

describe('the table', () => {
  it('has a row for each feature and a column for each kind, in a place of its own', () => {
    expect(readmeWith(CLAIMS)).toBe(`before
<!-- compatibility -->

|  | \`one\` | \`two\` |
| --- | --- | --- |
| First | yes | no |
| \`second\` |  | as it is |

<!-- /compatibility -->
after`);
  });

  it('is as it should be when all that it says was proved', () => {
    expect(saidOf(PASSED)).toEqual([]);
  });

  it.each(['failed', 'pending', 'todo', 'skipped'])('says too much when a test of it has %s', (status) => {
    const results = endedAs(['x', status], ['y', 'passed'], ['z', 'passed']);
    expect(saidOf(results)).toEqual(["First, one: it says 'yes', tests prove ''"]);
  });

  it('says too much when a test is gone, or proves it no more', () => {
    const said = ["`second`, two: it says 'as it is', tests prove ''"];
    expect(saidOf(endedAs(['x', 'passed'], ['y', 'passed']))).toEqual(said);
    expect(saidOf(PASSED, CLAIMS.slice(0, 2))).toEqual(said);
  });

  it('says too much when one of several tests of the same name failed', () => {
    const results = endedAs(['x', 'passed'], ['x', 'failed'], ['y', 'passed'], ['z', 'passed']);
    expect(saidOf(results)).toHaveLength(1);
  });

  it('says too little when a test proves more, and something wrong when it proves otherwise', () => {
    const more = [...CLAIMS, claim('b', 'one', 'emulated')];
    expect(saidOf(PASSED, more)).toEqual(["`second`, one: it says '', tests prove 'emulated'"]);
    const other = [claim('a', 'one', 'no'), ...CLAIMS.slice(1)];
    expect(saidOf(PASSED, other)).toEqual(["First, one: it says 'yes', tests prove 'no'"]);
  });

  it('cannot be made of tests that contradict each other', () => {
    const both = [...CLAIMS, claim('a', 'one', 'no', 'y')];
    expect(() => toRows(FEATURES, TWO, both)).toThrow("one test proves 'yes' and another 'no': x; y");
  });

  it('has no row that is not asked for', () => {
    const rows = toRows({ a: 'First' }, TWO, CLAIMS);
    expect(differences(readmeWith(CLAIMS), TWO, rows)).toEqual(['its rows are others']);
  });

  it('has the kinds that there are', () => {
    const { kinds } = JSON.parse(
      readFileSync(new URL('features.json', import.meta.url), 'utf8'),
    ) as typeof TABLE;
    expect(kinds).toEqual(KINDS);
  });
});
