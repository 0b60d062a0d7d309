#!/usr/bin/env node
// Measures the gateway beside a plain pipe and nginx and prints Markdown tables. bench/README.md has the rest.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuild } from './runner/build.mjs';
import { describeMachine, findProgram, placeOnCpus } from './runner/machine.mjs';
import { readOptions } from './runner/options.mjs';
import { ended, start } from './runner/processes.mjs';
import { promiseTable } from './runner/promises.mjs';
import { runRounds } from './runner/rounds.mjs';
import { startBackend } from './runner/servers.mjs';
import { format, scenarioTable } from './runner/tables.mjs';
import { scenarios as all } from './scenarios/index.mjs';

const MICRO = 'micro';

async function main(options) {
  const { program, builtAt } = ensureBuild(options.build);
  const placement = placeOnCpus();
  const machine = { ...describeMachine(), placement: describePlacement(placement) };
  const missing = findProgram('nginx') ? [] : ['nginx'];
  const scenarios = all.filter(({ name }) => options.scenarios.includes(name));
  print(header(machine, { program, builtAt }, options, missing));

  if (options.scenarios.includes(MICRO)) await runMicro(placement);
  const directory = mkdtempSync(join(tmpdir(), 'gateway-bench-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const backendPort = await startBackend(placement);
  const setting = { program, gatewayFlags: options.gatewayFlags, placement, directory, backendPort };
  const rows = await runRounds(setting, scenarios, { rounds: options.rounds, missing }, tellProgress);

  for (const scenario of scenarios) print(`${scenarioTable(scenario, rows)}\n`);
  const promises = promiseTable(scenarios, rows);
  if (promises !== '') print(`### Promises\n\n${promises}\n`);
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ machine, builtAt, options, rows }, null, 1)}\n`);
  return rows.every(({ faults }) => faults === '');
}

function describePlacement({ isPinned }) {
  return isPinned
    ? 'the server on CPU 0, load and backend on the others'
    : 'not pinned (no taskset, or one CPU)';
}

function header(
  { date, cpu, kernel, node, loadAverage, placement },
  { program, builtAt },
  { rounds, gatewayFlags },
  missing,
) {
  return [
    `## Measured ${date}`,
    '',
    `- ${cpu}, Linux ${kernel}, Node ${node}${gatewayFlags.map((flag) => ` ${flag}`).join('')}`,
    `- ${placement}; load average at the start ${format(loadAverage)}`,
    `- ${relative('', program)} built ${builtAt.toISOString()}; medians of ${rounds} interleaved round(s)`,
    ...missing.map((name) => `- **${name} is not in PATH: left out**`),
    '',
  ].join('\n');
}

/** To standard error, so that standard output is the report and nothing else. */
function tellProgress({ round, scenario, route, server, figures, faults }) {
  const [key, value] = Object.entries(figures)[0] ?? [];
  const figure = key === undefined ? '' : ` ${key} ${format(value)}`;
  process.stderr.write(`[${round}] ${scenario} ${route} ${server}${figure}${faults && ` (${faults})`}\n`);
}

async function runMicro(placement) {
  const child = start([
    ...placement.server,
    process.execPath,
    fileURLToPath(new URL('micro.mjs', import.meta.url)),
  ]);
  for await (const text of child.stdout.setEncoding('utf8')) process.stdout.write(text);
  await ended(child);
  if (child.exitCode !== 0) throw new Error('the micro benchmark failed');
  print('');
}

function print(text) {
  process.stdout.write(`${text}\n`);
}

try {
  const options = readOptions(process.argv.slice(2), [...all.map(({ name }) => name), MICRO]);
  const isRight = options === undefined || (await main(options));
  process.exit(isRight ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
}
