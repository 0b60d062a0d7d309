// Collects what tests prove of the README's table. A run of all tests is held to the table; the run of the tests that
// prove (`npm run compatibility`) writes it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { differences, provedBy, renderTable, replaceTable, toRows } from './table.mjs';

const PROVES = 'test/compatibility/proves.ts';

const README = new URL('../../README.md', import.meta.url);
const TABLE = new URL('features.json', import.meta.url);

/** Jest makes one for each run, before it makes its workers. */
export default function createReporter(globalConfig) {
  const folder = mkdtempSync(join(tmpdir(), 'compatibility-'));
  process.env.COMPATIBILITY_CLAIMS = folder;
  let failure;

  function readClaims() {
    const lines = readdirSync(folder).flatMap((name) =>
      readFileSync(join(folder, name), 'utf8').trim().split('\n'),
    );
    rmSync(folder, { recursive: true });
    return lines.map((line) => JSON.parse(line));
  }

  function conclude({ testResults, numFailedTests, numRuntimeErrorTestSuites, wasInterrupted }) {
    const claims = readClaims();
    const isWriting = globalConfig.findRelatedTests && globalConfig.nonFlagArgs.includes(PROVES);
    if (wasInterrupted || (!isWriting && !isOfAllTests(globalConfig))) return;
    const { kinds, features } = JSON.parse(readFileSync(TABLE, 'utf8'));
    const rows = toRows(features, kinds, provedBy(claims, testResults));
    const readme = readFileSync(README, 'utf8');
    if (!isWriting) {
      const found = differences(readme, kinds, rows);
      if (found.length === 0) return;
      const lines = found.map((line) => `  ${line}\n`).join('');
      throw new Error(`The table of the README is not what tests prove (npm run compatibility):\n${lines}`);
    }
    if (numFailedTests + numRuntimeErrorTestSuites > 0) throw new Error('Tests failed: nothing was written.');
    writeFileSync(README, replaceTable(readme, renderTable(kinds, rows)));
  }

  return {
    onRunComplete(_contexts, results) {
      try {
        conclude(results);
      } catch (error) {
        failure = error;
        process.stderr.write(`\n${error.message}\n`);
      }
    },
    /** Jest's way to let a run fail that no test has failed in. */
    getLastError: () => failure,
  };
}

function isOfAllTests(config) {
  const { testNamePattern, onlyChanged, onlyFailures, findRelatedTests, shard, watch, watchAll } = config;
  return (
    !testNamePattern &&
    !(onlyChanged || onlyFailures || findRelatedTests || shard || watch || watchAll) &&
    config.nonFlagArgs.length === 0 &&
    !config.testPathPatterns.isSet()
  );
}
