/** Files of the chart that are made of others, and those that run by themselves; none of it needs helm. */

import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { FIXED } from '../../src/reload.ts';
import { failing, saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();
const CHART = new URL('../../helm/node-ai-gateway/', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, CHART), 'utf8');

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
}

/** Paths of objects that take names which nobody knows. */
function openPaths(schema: Schema, path: string): string[] {
  const { type, properties = {}, items, anyOf = [], additionalProperties } = schema;
  const rest = additionalProperties ?? true;
  const isOpen = type === 'object' && (rest === true || JSON.stringify(rest) === '{}');
  return [
    ...(isOpen ? [path] : []),
    ...Object.entries(properties).flatMap(([name, inner]) => openPaths(inner, `${path}.${name}`)),
    ...anyOf.flatMap((inner) => openPaths(inner, path)),
    ...(items ? openPaths(items, `${path}[]`) : []),
    ...(typeof additionalProperties === 'object' ? openPaths(additionalProperties, `${path}.*`) : []),
  ];
}

/** Types of Kubernetes' own, which its API checks. */
const OF_KUBERNETES =
  /(podSecurityContext|securityContext|Probe|affinity\.\w+|updateStrategy\.rollingUpdate|behavior\.\w+|usage\.volume|Selector|ipBlock|ports\[\]|labelSelector|valueFrom|\w+Ref|metricRelabelings\[\]|extraGroups\[\]|extraTriggers\[\]|extraVolumes\[\]|extraVolumeMounts\[\]|initContainers\[\]|extraContainers\[\]|extraObjects\[\]|options\[\]|claims\[\])$/;

describe('the chart', () => {
  it('has schemas, a README and rules that are current', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/chart.mjs', '--check'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  it.each(['', 'charts/ollama/', 'charts/valkey/'])('%s takes no value that nobody knows', (folder) => {
    const schema = JSON.parse(read(`${folder}values.schema.json`)) as Schema;
    const open = openPaths(schema, '').filter((path) => !OF_KUBERNETES.test(path));
    expect(open.filter((path) => path !== '.global' && !/\.(ollama|valkey)\.global$/.test(path))).toEqual([
      // What a model is given is the server's business.
      ...(folder === '' ? ['.config.models.*.options'] : []),
    ]);
  });

  it('restarts pods for the settings that a reload cannot take over, but for those that it sets itself', () => {
    const listed = JSON.parse(read('files/restart-settings.json')) as string[][];
    const ownByEnvironment = /^(server\.(port|adminPort|adminHost)|usage\.(enabled|folder)|redis\.url)$/;
    const own = FIXED.map((path) => [...path]).filter((path) => !ownByEnvironment.test(path.join('.')));
    expect(listed).toEqual(own);
  });

  it('has the version of the program, and names the images that it runs', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const chart = parse(read('Chart.yaml')) as { appVersion: string; annotations: Record<string, string> };
    expect(chart.appVersion).toBe(version);
    const images = chart.annotations['artifacthub.io/images'] ?? '';
    for (const name of ['ollama', 'valkey']) {
      const { appVersion } = parse(read(`charts/${name}/Chart.yaml`)) as { appVersion: string };
      expect(images).toContain(`/${name}:${appVersion}\n`);
    }
    expect(images).toContain(`/node-ai-gateway:${version}\n`);
  });
});

describe('the script of helm test', () => {
  const run = (env: Readonly<Record<string, string>>): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--input-type=module', '--eval', read('files/test.mjs')], { env });
  const KEY = 'a-key-of-at-least-thirty-two-characters';

  it('passes when the gateway is ready, lets it in and answers', async () => {
    const { url } = await setup.backend(saying('hello'));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: url, AUTH_KEY: KEY } });
    const { stdout } = await run({ GATEWAY_URL: gateway.url, AUTH_KEY: KEY, MODEL: 'm' });
    expect(stdout).toMatch(/\/readyz: 200[^]*\/v1\/models: 200[^]*\/v1\/chat\/completions: 200 .*hello/);
  });

  it('fails when the key is wrong, no backend is up, or the model fails', async () => {
    const backend = await setup.backend(failing(500, 'no'));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, AUTH_KEY: KEY } });
    await expect(run({ GATEWAY_URL: gateway.url, AUTH_KEY: 'x' })).rejects.toMatchObject({
      stdout: expect.stringMatching(/401/),
    });
    await expect(run({ GATEWAY_URL: gateway.url, AUTH_KEY: KEY, MODEL: 'm' })).rejects.toMatchObject({
      stdout: expect.stringMatching(/completions: 50\d/),
    });
    const lonely = await setup.gateway({ env: { OLLAMA_BASE_URL: 'http://127.0.0.1:1' } });
    await expect(run({ GATEWAY_URL: lonely.url })).rejects.toMatchObject({
      stdout: expect.stringMatching(/503/),
    });
  });
});
