/** The Helm chart, rendered by helm where that is on the machine. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from '@jest/globals';
import { parseAllDocuments, stringify } from 'yaml';

const CHART = fileURLToPath(new URL('../../helm/node-ai-gateway', import.meta.url));

/** Unknown territory that the assertions chart, as in answers. */
type Parsed = ReturnType<typeof JSON.parse>;

/** An object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [member: string]: Parsed;
}

/** Where `go install` puts it counts too. */
function findHelm(): string | undefined {
  const goPath = process.env.GOPATH ?? join(homedir(), 'go');
  return ['helm', join(goPath, 'bin', 'helm')].find(
    (program) => spawnSync(program, ['version'], { stdio: 'ignore' }).status === 0,
  );
}

const HELM = findHelm();
/** Skips by name where there is no helm. */
export const describeChart = HELM === undefined ? describe.skip : describe;

export interface Rendered {
  readonly code: number;
  readonly stderr: string;
  readonly text: string;
  readonly manifests: readonly Manifest[];
  /** The one object of that kind, by its name's end if there are several. Throws when there is none. */
  one(kind: string, nameEnd?: string): Manifest;
}

/** A fleet, so that nothing is amiss unless a test wants it. */
export const FLEET = { config: { backends: [{ name: 'gpu', kind: 'vllm', url: 'http://vllm:8000' }] } };

/** `values`: a file of the chart's `ci/`, or values of the test. */
export function render(values: string | object, ...more: readonly string[]): Rendered {
  const file = typeof values === 'string' ? join(CHART, 'ci', values) : written(values);
  const args = ['template', 'gw', CHART, '--namespace', 'ai', '--values', file, ...more];
  const { status, stdout, stderr } = spawnSync(HELM ?? 'helm', args, { encoding: 'utf8' });
  const manifests = parseAllDocuments(stdout)
    .map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
  return {
    code: status ?? 1,
    stderr,
    text: stdout,
    manifests,
    one(kind, nameEnd = '') {
      const found = manifests.find((each) => each.kind === kind && each.metadata.name.endsWith(nameEnd));
      if (!found) throw new Error(`no ${kind} ${nameEnd} was rendered: ${stderr}`);
      return found;
    },
  };
}

export function lint(...args: readonly string[]): { readonly code: number; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(HELM ?? 'helm', ['lint', CHART, ...args], {
    encoding: 'utf8',
  });
  return { code: status ?? 1, output: stdout + stderr };
}

export function valuesFile(name: string): string {
  return join(CHART, 'ci', name);
}

function written(values: object): string {
  const file = join(mkdtempSync(join(tmpdir(), 'values-')), 'values.yaml');
  writeFileSync(file, stringify(values));
  return file;
}

export const podOf = ({ spec }: Manifest): Manifest => spec.template.spec as Manifest;
export const containerOf = (workload: Manifest): Manifest => podOf(workload).containers[0] as Manifest;

export function deployment(values: string | object): Manifest {
  return render(values).one('Deployment');
}

/** The variables that the gateway is given as they stand. */
export function envOf(values: string | object): Record<string, string> {
  const { env } = containerOf(deployment(values)) as unknown as { env: { name: string; value: string }[] };
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
}
