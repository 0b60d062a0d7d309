// The command line of the benchmark.

import { parseArgs } from 'node:util';
import { DEFAULT_BUILD } from './build.mjs';

const HELP = `node bench/run.mjs [options]

  --scenarios a,b       only these; all without it
  --rounds N            how often each figure is taken (3); medians are reported
  --json FILE           writes every single figure there as well
  --build DIR           the build to measure (dist)
  --gateway-flags='…'   flags of Node for the gateway, separated by spaces
  --help`;

/**
 * @typedef {object} Options
 * @property {string[]} scenarios
 * @property {number} rounds
 * @property {string | undefined} json
 * @property {string} build
 * @property {string[]} gatewayFlags
 */

/**
 * Throws an Error whose message is for the user; undefined when only help was asked for.
 * @param {readonly string[]} known names of scenarios
 * @returns {Options | undefined}
 */
export function readOptions(args, known) {
  const { values } = parseArgs({
    args,
    options: {
      scenarios: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
      build: { type: 'string', default: DEFAULT_BUILD },
      'gateway-flags': { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n\nScenarios: ${known.join(', ')}\n`);
    return undefined;
  }
  const scenarios = values.scenarios?.split(',') ?? [...known];
  const unknown = scenarios.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`no such scenario: ${unknown.join(', ')}. There are ${known.join(', ')}.`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.');
  return {
    scenarios,
    rounds,
    json: values.json,
    build: values.build,
    gatewayFlags: values['gateway-flags'].split(' ').filter((flag) => flag !== ''),
  };
}
