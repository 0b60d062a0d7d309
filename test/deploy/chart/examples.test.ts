/** The examples of values: every object of them is right by the schemas of the API, and the gateway starts by it. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { BACKEND_VARIABLES, VARIABLES } from '../../../src/config/env.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { hashKey } from '../../../src/node/hash-key.ts';
import { tlsChecks } from '../../../src/node/tls.ts';
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/certificate.ts';
import {
  containerOf,
  describeChart,
  lint,
  podOf,
  render,
  valuesFile,
  type Manifest,
  type Rendered,
} from '../../support/chart.ts';
import { faultsOf } from '../../support/manifests.ts';

const CI_VALUES = readdirSync(new URL('../../../helm/node-ai-gateway/ci/', import.meta.url)).sort();
const EMPTY_KEY_FILE = JSON.stringify({ keys: [] });
const SOME_KEY = 'a-key-of-at-least-thirty-two-characters';

/** Variables of parts of the program that this tree does not have yet. */
const NOT_YET = [
  'ADMIN_HOST',
  'ADMIN_PORT',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'REDIS_FAIL_CLOSED',
  'REDIS_URL',
  'USAGE_DIR',
  'USAGE_ENABLED',
];

describeChart('every example of values', () => {
  const rendered = new Map<string, Rendered>();
  beforeAll(() => {
    for (const name of CI_VALUES) rendered.set(name, render(name));
  });
  const renderedOf = (name: string): Rendered => rendered.get(name) ?? render(name);

  it.each(CI_VALUES)('%s passes the strict lint', (name) => {
    const { code, output } = lint('--strict', '--values', valuesFile(name));
    expect([code, output]).toEqual([0, expect.not.stringMatching(/WARNING|ERROR|Fail:/)]);
  });

  it('passes the schemas of the API, without unknown names', async () => {
    const all = CI_VALUES.flatMap((name) => renderedOf(name).manifests);
    expect(all.length).toBeGreaterThan(60);
    expect(await faultsOf(all)).toEqual([]);
  }, 60_000);

  it.each(CI_VALUES)(
    '%s makes a configuration that the gateway takes, by variables that it knows',
    (name) => {
      const { one } = renderedOf(name);
      const { env } = containerOf(one('Deployment')) as unknown as {
        env: { name: string; value?: string }[];
      };
      const given = env.filter(
        ({ name: variable }) => variable !== 'POD_NAME' && variable !== 'VALKEY_PASSWORD',
      );
      const known = [...VARIABLES.map((each) => each.name), ...BACKEND_VARIABLES, 'GATEWAY_CONFIG'];
      const other = given
        .filter((each) => !NOT_YET.includes(each.name))
        .map((each) => each.name)
        .filter((each) => !known.includes(each) && !known.includes(each.replace(/_FILE$/, '')));
      expect(other).toEqual([]);
      const values = given.map((each) => [each.name, each.value ?? 'redis://from-a-secret:6379']);
      const { isProduction, backends } = loadConfig({
        env: { NODE_ENV: 'production', OPENAI_API_KEY: 'sk-x', ...(Object.fromEntries(values) as object) },
        hashKey,
        tlsChecks,
        readFile(path) {
          if (path.endsWith('gateway.yaml')) return String(one('ConfigMap').data['gateway.yaml']);
          if (path.endsWith('.json')) return EMPTY_KEY_FILE;
          return { 'tls.crt': TLS_CERTIFICATE, 'tls.key': TLS_KEY }[basename(path)] ?? `${SOME_KEY}-${path}`;
        },
        exists: () => true,
      });
      expect(isProduction).toBe(true);
      expect(backends.length).toBeGreaterThan(0);
    },
  );

  it.each(CI_VALUES)('%s runs nothing with more rights than the profile "restricted" gives', (name) => {
    const pods = renderedOf(name)
      .manifests.filter(({ kind, spec }) => kind === 'Pod' || spec?.template !== undefined)
      .map((each) => (each.kind === 'Pod' ? (each.spec as Manifest) : podOf(each)));
    expect(pods.length).toBeGreaterThan(1);
    for (const pod of pods) {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(pod.hostNetwork ?? pod.hostPID ?? pod.hostIPC).toBeUndefined();
      const own = [...(pod.initContainers ?? []), ...pod.containers].filter(
        ({ image }: { image: string }) =>
          !image.startsWith('registry.example.com/side') && !image.includes('wait'),
      ) as Manifest[];
      for (const { securityContext, resources, image } of own) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(image).toMatch(/:[\w.-]+$|@sha256:[0-9a-f]{64}$/);
        expect(image).not.toMatch(/:latest$/);
        if (own.length === pod.containers.length) expect(resources.requests).toBeDefined();
      }
    }
  });

  it('of docs/kubernetes.md is taken as it stands', () => {
    const [, values = ''] =
      /```yaml\n(config:[^]*?)```/.exec(readFileSync('docs/kubernetes.md', 'utf8')) ?? [];
    const { code, one } = render(parse(values) as object);
    expect(code).toBe(0);
    expect(String(one('ConfigMap').data['gateway.yaml'])).toContain('meta-llama');
  });
});
