/** Prometheus' own checker of rules, where the machine has it (Debian: the package prometheus). */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';

export const RULES = new URL('../../deploy/prometheus/rules.yml', import.meta.url).pathname;

const PROGRAM = 'promtool';

/** Skipped by name where the machine has no promtool. */
export const describeWithPromtool = spawnSync(PROGRAM, ['--version']).status === 0 ? describe : describe.skip;

/** What the rules make of samples that are made up: promtool's notation, such as `0+60x20` or `1x10 _x5`. */
export interface RuleTest {
  /** By series; one value a minute. */
  readonly series: Readonly<Record<string, string>>;
  /** In minutes. */
  readonly atMinute: number;
  /** PromQL → the samples that are to come of it, by their labels. */
  readonly expected: Readonly<Record<string, readonly string[]>>;
}

/** '' when all is well, else what promtool says. */
export const checkRules = (): string => run(['check', 'rules', RULES]);

/** '' when all is as expected, else what promtool says. */
export function testRules({ series, atMinute, expected }: RuleTest): string {
  const folder = mkdtempSync(join(tmpdir(), 'promtool-'));
  const path = join(folder, 'test.yml');
  const test = {
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: Object.entries(expected).map(([expr, samples]) => ({
      expr,
      eval_time: `${String(atMinute)}m`,
      exp_samples: samples.map((labels) => ({ labels, value: 1 })),
    })),
  };
  // JSON is YAML.
  writeFileSync(path, JSON.stringify({ rule_files: [RULES], evaluation_interval: '1m', tests: [test] }));
  try {
    return run(['test', 'rules', path]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(PROGRAM, args, { encoding: 'utf8' });
  return status === 0 ? '' : stdout + stderr;
}
