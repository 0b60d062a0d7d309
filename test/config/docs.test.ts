/** The documents list every setting, with the default that holds. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { BACKEND_VARIABLES, VARIABLES } from '../../src/config/env.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configSchema, DEFAULT_TIMEOUTS } from '../../src/config/schema.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

interface Setting {
  readonly path: string;
  readonly default: unknown;
}

interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

function settingsOf(schema: Schema, path = ''): Setting[] {
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([name, inner]) =>
      settingsOf(inner, path === '' ? name : `${path}.${name}`),
    );
  }
  if (schema.items?.properties) return settingsOf(schema.items, `${path}[]`);
  if (schema.additionalProperties?.properties) return settingsOf(schema.additionalProperties, `${path}.*`);
  const [, limit] = /^limits\.timeouts\.(\w+)$/.exec(path) ?? [];
  const known: Readonly<Record<string, unknown>> = DEFAULT_TIMEOUTS;
  return [{ path, default: limit === undefined ? schema.default : known[limit] }];
}

const SETTINGS = settingsOf(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Schema);

function rowOf(path: string): string[] {
  const row = read('docs/configuration.md')
    .split('\n')
    .find((line) => line.startsWith(`| \`${path}\` |`));
  return (row ?? '').split('|').map((cell) => cell.trim());
}

describe('docs/configuration.md', () => {
  it.each(SETTINGS)('lists $path with its default, variable and meaning', ({ path, default: value }) => {
    const [, , variable, shown, , meaning = ''] = rowOf(path);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    expect(shown).toBe(value === undefined ? '' : `\`${text}\``);
    const name = VARIABLES.find((each) => each.path === path)?.name;
    expect(variable).toBe(name === undefined ? '' : `\`${name}\``);
    expect(meaning.length).toBeGreaterThan(10);
  });

  it('lists no setting that does not exist', () => {
    const listed = [...read('docs/configuration.md').matchAll(/^\| `([a-z][\w.[\]*]+)` \|/gm)].map(
      ([, path]) => path,
    );
    expect(listed).toEqual(SETTINGS.map(({ path }) => path));
  });
});

describe('the examples', () => {
  it('name every variable', () => {
    const example = read('.env.example');
    for (const name of [
      ...VARIABLES.map((each) => each.name),
      ...BACKEND_VARIABLES,
      'NODE_ENV',
      'GATEWAY_CONFIG',
    ]) {
      expect(example).toMatch(new RegExp(`^#${name}=`, 'm'));
    }
  });

  it('list every setting with its default, in gateway.example.yaml', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/example.mjs', '--check'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('have the defaults as the values of variables', () => {
    const example = read('.env.example');
    const shown = VARIABLES.filter(
      ({ path }) =>
        // Those of the limits on time are settled for each backend.
        !path.startsWith('limits.timeouts.') &&
        SETTINGS.find((setting) => setting.path === path)?.default !== undefined,
    ).map(({ name }) => [name, new RegExp(`^#${name}=(\\S*)`, 'm').exec(example)?.[1] ?? ''] as const);
    // Its description tells where each value came from.
    const load = (env: Readonly<Record<string, string>>): object => ({
      ...loadConfig({ hashKey, tlsChecks, env, readFile: read, exists: () => false }),
      description: undefined,
    });
    expect(load(Object.fromEntries(shown))).toEqual(load({}));
  });

  it('load', () => {
    const config = loadConfig({
      hashKey,
      tlsChecks,
      env: { GATEWAY_CONFIG: 'gateway.example.yaml' },
      readFile: read,
      exists: () => true,
    });
    expect(config.backends.map(({ kind }) => kind)).toEqual(['ollama', 'ollama', 'vllm', 'openai']);
  });
});
