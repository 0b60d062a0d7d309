/** A Prometheus of the test's own, on a free port, where the machine has the program (Debian: prometheus). */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';

const PROGRAM = 'prometheus';

/** Skipped by name where the machine has no Prometheus. */
export const describeWithPrometheus =
  spawnSync(PROGRAM, ['--version']).status === 0 ? describe : describe.skip;

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface RuleState {
  readonly name: string;
  readonly type: 'recording' | 'alerting';
  readonly health: 'ok' | 'err' | 'unknown';
  readonly lastError?: string;
  /** When it was computed last, in milliseconds since 1970. */
  readonly evaluatedMs: number;
}

export interface TestPrometheus {
  /** As of now. Rejects with what Prometheus says against the query. */
  query(promql: string): Promise<readonly Sample[]>;
  /** The values of a label of a metric, as Grafana asks for them. */
  labelValues(metric: string, label: string): Promise<readonly string[]>;
  rules(): Promise<readonly RuleState[]>;
  close(): Promise<void>;
}

const INTERVAL = '250ms';

/** `targets`: `host:port` with metrics at /metrics; scraped from five seconds on. `rules`: a path. */
export async function startPrometheus(
  job: string,
  targets: readonly string[],
  rules: string,
): Promise<TestPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  const path = join(folder, 'prometheus.yml');
  // JSON is YAML.
  const config = {
    global: { scrape_interval: INTERVAL, scrape_timeout: INTERVAL, evaluation_interval: INTERVAL },
    rule_files: [rules],
    scrape_configs: [{ job_name: job, static_configs: [{ targets }] }],
  };
  writeFileSync(path, JSON.stringify(config));
  const child = spawn(
    PROGRAM,
    [
      `--config.file=${path}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'exit');

  async function close(): Promise<void> {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  }

  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  while (!log.includes('Server is ready to receive web requests')) {
    await Promise.race([once(child.stderr, 'data'), ended]);
    if (child.exitCode === null) continue;
    await close();
    throw new Error(`Prometheus ended: ${log}`);
  }
  const [, address = ''] = /msg="Listening on".* address=(\S+)/.exec(log) ?? [];

  async function ask(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const query = new URLSearchParams(parameters).toString();
    const response = await fetch(`http://${address}/api/v1/${path}?${query}`);
    const body = (await response.json()) as { status: string; data: unknown; error?: string };
    if (body.status !== 'success') throw new Error(`Prometheus: ${String(body.error)}`);
    return body.data;
  }

  return {
    async query(promql) {
      const { result } = (await ask('query', { query: promql })) as { result: readonly RawSample[] };
      return result.map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }));
    },
    labelValues: async (metric, label) =>
      (await ask(`label/${label}/values`, { 'match[]': metric })) as readonly string[],
    async rules() {
      const { groups } = (await ask('rules')) as { groups: readonly { rules: readonly RawRule[] }[] };
      return groups.flatMap(({ rules }) =>
        rules.map(({ lastEvaluation, ...rule }) => ({ ...rule, evaluatedMs: Date.parse(lastEvaluation) })),
      );
    },
    close,
  };
}

interface RawSample {
  readonly metric: Readonly<Record<string, string>>;
  /** The time, and the value as text. */
  readonly value: readonly [number, string];
}

interface RawRule extends Omit<RuleState, 'evaluatedMs'> {
  readonly lastEvaluation: string;
}
