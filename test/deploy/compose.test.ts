/** docker-compose.yaml against the project whose files, ports and variables it names. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { BACKEND_VARIABLES, VARIABLES } from '../../src/config/env.ts';
import { loadConfig } from '../../src/config/load.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly [member: string]: unknown;
}

const compose = parse(read('docker-compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
};
const { services } = compose;
const mounts = Object.values(services)
  .flatMap(({ volumes = [] }) => volumes)
  .map((text) => text.split(':'));

/** Variables of parts of the program that this tree does not have yet. */
const NOT_YET = ['REDIS_URL'];

/** `${NAME:-default}` as compose does it when nothing is set. */
const withDefaults = (text: string): string => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

const gatewayEnv = Object.fromEntries(
  Object.entries(services.gateway?.environment ?? {}).map(([name, value]) => [name, withDefaults(value)]),
);

describe('docker-compose.yaml', () => {
  it('has the gateway, a model, and what watches; more by profile', () => {
    const plain = Object.keys(services).filter((name) => services[name]?.profiles === undefined);
    expect(plain).toEqual(['gateway', 'ollama', 'pull', 'prometheus', 'grafana']);
    expect([services['ollama-gpu']?.profiles, services.redis?.profiles]).toEqual([['gpu'], ['redis']]);
  });

  it('pins every image, the gateway by the version of the program', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(services.gateway?.image).toBe(`node-ai-gateway:${version}`);
    for (const { image } of Object.values(services)) expect(image).toMatch(/:v?\d+\.\d+\.\d+[\w.-]*$/);
    expect(services.pull?.image).toBe(services.ollama?.image);
    expect(services['ollama-gpu']?.image).toBe(services.ollama?.image);
  });

  it('opens its ports to this machine alone', () => {
    const ports = Object.values(services).flatMap(({ ports: given = [] }) => given);
    expect(ports.map(withDefaults)).toEqual([
      '127.0.0.1:3000:3000',
      '127.0.0.1:9090:9090',
      '127.0.0.1:3001:3000',
    ]);
  });

  it('gives the gateway variables that it knows, and with which it starts in production', () => {
    const known = [...VARIABLES.map(({ name }) => name), ...BACKEND_VARIABLES, ...NOT_YET];
    expect(Object.keys(gatewayEnv).filter((name) => !known.includes(name))).toEqual([]);
    const load = (env: Record<string, string>): ReturnType<typeof loadConfig> =>
      loadConfig({ env, hashKey, tlsChecks, readFile: () => '', exists: () => false });
    const { server, backends, auth, aliases } = load({ ...gatewayEnv, NODE_ENV: 'production' });
    expect([server.host, server.port, auth.isOpen]).toEqual(['0.0.0.0', 3000, true]);
    expect(backends.map(({ url }) => url)).toEqual(['http://ollama:11434']);
    expect(aliases.map(({ name }) => name)).toEqual(['default']);
    const grace = Number(services.gateway?.stop_grace_period?.replace('s', '')) * 1000;
    expect(grace).toBeGreaterThan(server.drainDelayMs + server.drainTimeoutMs);
  });

  it('mounts files that are there, and volumes that it names', () => {
    for (const [source = ''] of mounts) {
      if (!source.startsWith('./')) expect(Object.keys(compose.volumes)).toContain(source);
      else expect([source, existsSync(new URL(source, ROOT))]).toEqual([source, true]);
    }
    const named = mounts.map(([source]) => source);
    expect(Object.keys(compose.volumes).filter((name) => !named.includes(name))).toEqual([]);
  });

  it('builds from a context that has all that the Dockerfile copies', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );
    expect(copied.length).toBeGreaterThan(5);
    const allowed =
      read('.dockerignore')
        .match(/^!.+$/gm)
        ?.map((line) => line.slice(1)) ?? [];
    expect([...new Set(copied)].sort()).toEqual(allowed.sort());
    for (const path of copied) expect([path, existsSync(new URL(path, ROOT))]).toEqual([path, true]);
  });
});

describe('Prometheus and Grafana', () => {
  const targetOf = (source: string): string | undefined => mounts.find(([from]) => from === source)?.[1];

  it('scrape the gateway where it listens, and find the rules where they are mounted', () => {
    const { scrape_configs: jobs, rule_files: rules } = parse(read('deploy/prometheus/prometheus.yml')) as {
      scrape_configs: { metrics_path: string; static_configs: { targets: string[] }[] }[];
      rule_files: string[];
    };
    const { server, metrics } = loadConfig({
      env: gatewayEnv,
      hashKey,
      tlsChecks,
      readFile: () => '',
      exists: () => false,
    });
    expect(jobs.map(({ metrics_path }) => metrics_path)).toEqual([metrics.path]);
    expect(jobs[0]?.static_configs).toEqual([{ targets: [`gateway:${String(server.port)}`] }]);
    expect(rules).toEqual([targetOf('./deploy/prometheus/rules.yml')]);
  });

  it('know each other, and the dashboards of the chart', () => {
    const folder = new URL('deploy/grafana/provisioning/', ROOT);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(new URL(name, folder)).isFile(),
    );
    expect(files.toSorted()).toEqual(['dashboards/node-ai-gateway.yaml', 'datasources/prometheus.yaml']);
    const { datasources } = parse(read('deploy/grafana/provisioning/datasources/prometheus.yaml')) as {
      datasources: { url: string }[];
    };
    expect(datasources.map(({ url }) => url)).toEqual(['http://prometheus:9090']);
    const { providers } = parse(read('deploy/grafana/provisioning/dashboards/node-ai-gateway.yaml')) as {
      providers: { options: { path: string } }[];
    };
    expect(providers[0]?.options.path).toBe(targetOf('./helm/node-ai-gateway/dashboards'));
  });
});
