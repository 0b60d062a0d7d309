// What a report of Jest comes to: 'PASSED FAILED SKIPPED' on standard output, and the names of what was skipped beside it.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const skipped = report.testResults
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ status }) => status === 'pending');
for (const { fullName } of skipped) process.stderr.write(`skipped: ${fullName}\n`);
console.log(report.numPassedTests, report.numFailedTests + report.numRuntimeErrorTestSuites, skipped.length);
