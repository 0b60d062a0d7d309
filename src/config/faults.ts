/** What the schema and the rules between settings complain about, in words and with its place. */

import { distance } from 'fastest-levenshtein';
import * as z from 'zod';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { EnvSettings } from './env.ts';
import type { Fault } from './fault.ts';
import type { ConfigFile } from './file.ts';
import { configSchema } from './schema.ts';

/** Where a setting was written, or where its key was. */
export type Locate = (path: readonly PropertyKey[], wantsKey?: boolean) => string;

/** `raw` is what file and environment make together. */
export function createLocator(file: ConfigFile, { origins, backends }: EnvSettings, raw: unknown): Locate {
  const fromEnv = new Set(backends.map(({ name }) => name));
  return (path, wantsKey) => {
    const steps = path.filter((step) => typeof step === 'string');
    // A variable may hold a whole map, and the fault lie within it.
    const variable = steps
      .map((_, i) => origins.get(steps.slice(0, i + 1).join('.')))
      .find((name) => name !== undefined);
    if (variable !== undefined) return `environment ${variable}`;
    if (path[0] === 'backends' && typeof path[1] === 'number') {
      const name = String(asObject(asArray(asObject(raw).backends)[path[1]]).name);
      if (fromEnv.has(name)) return `environment ${name.replace(/-\d+$/, '').toUpperCase()}_BASE_URL`;
    }
    return file.locate(path, wantsKey);
  };
}

export function toFaults(
  issue: z.core.$ZodIssue,
  locate: Locate,
  schema: z.core.$ZodType = configSchema,
): Fault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const hint = closest(key, keysAt(issue.path, schema));
      return {
        where: locate([...issue.path, key], true),
        message: `${nameOf([...issue.path, key])}: unknown setting.${hint ? ` Did you mean '${hint}'?` : ''}`,
      };
    });
  }
  if (issue.code === 'invalid_key')
    return issue.issues.flatMap((inner) => toFaults({ ...inner, path: issue.path }, locate, schema));
  return [{ where: locate(issue.path), message: `${nameOf(issue.path)}: ${complaint(issue)}` }];
}

function complaint(issue: z.core.$ZodIssue): string {
  const got = `, got ${show(issue.input, issue.path)}.`;
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing.';
      return `expected ${issue.expected === 'int' ? 'a whole number' : issue.expected}${got}`;
    case 'invalid_value': {
      const values = issue.values.map((value) => `'${String(value)}'`).join(', ');
      const hint =
        typeof issue.input === 'string' ? closest(issue.input, issue.values.map(String)) : undefined;
      return `expected one of ${values}${got}${hint ? ` Did you mean '${hint}'?` : ''}`;
    }
    case 'too_small':
      return issue.origin === 'string'
        ? `expected at least ${String(issue.minimum)} characters.`
        : `expected at least ${String(issue.minimum)}${issue.origin === 'array' ? ' item.' : got}`;
    case 'too_big':
      return `expected at most ${String(issue.maximum)}${issue.origin === 'string' ? ' characters.' : got}`;
    case 'invalid_union':
      return `${issue.message}${got}`;
    case 'invalid_format':
      return `has characters that are not allowed here${got}`;
    default:
      return issue.message;
  }
}

/** What the schema cannot see: names that must differ, names that must exist, URLs, loops. */
export function crossFaults(raw: unknown, locate: Locate): Fault[] {
  if (!isJsonObject(raw)) return [];
  const backends = asArray(raw.backends).map(asObject);
  const names = backends.map(({ name }) => String(name));
  const faults: Fault[] = [];
  backends.forEach((backend, i) => {
    const path = ['backends', i] as const;
    if (names.indexOf(String(backend.name)) < i) {
      faults.push({
        where: locate([...path, 'name']),
        message: `backends[${String(i)}].name: '${String(backend.name)}' is taken by another backend. Names must differ.`,
      });
    }
    const problem = typeof backend.url === 'string' ? urlProblem(backend.url) : undefined;
    if (problem) {
      faults.push({ where: locate([...path, 'url']), message: `backends[${String(i)}].url: ${problem}` });
    }
  });
  for (const [alias, model] of Object.entries(asObject(raw.models))) {
    asArray(asObject(model).targets)
      .map(asObject)
      .forEach(({ backend }, i) => {
        if (typeof backend !== 'string' || names.includes(backend)) return;
        faults.push({
          where: locate(['models', alias, 'targets', i, 'backend']),
          message: `models.${alias}.targets[${String(i)}].backend: ${noSuchBackend(backend, backends)}`,
        });
      });
  }
  return [...faults, ...passthroughFaults(raw.passthrough, backends, locate)];
}

function passthroughFaults(settings: unknown, backends: readonly JsonObject[], locate: Locate): Fault[] {
  const { backend, paths } = asObject(settings);
  const named = [
    { path: ['passthrough', 'backend'], name: backend },
    ...Object.entries(asObject(paths)).map(([key, name]) => ({ path: ['passthrough', 'paths', key], name })),
  ];
  return named.flatMap(({ path, name }) => {
    if (typeof name !== 'string') return [];
    const found = backends.find((each) => each.name === name);
    if (found && found.kind !== 'ollama') return [];
    const message = found
      ? `'${name}' is of kind ollama, which has nothing but what the gateway models.`
      : noSuchBackend(name, backends);
    return [{ where: locate(path), message: `${nameOf(path)}: ${message}` }];
  });
}

function noSuchBackend(name: string, backends: readonly JsonObject[]): string {
  const hint = closest(
    name,
    backends.map((each) => String(each.name)),
  );
  return `there is no backend '${name}'.${hint ? ` Did you mean '${hint}'?` : ''}`;
}

function urlProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    return `expected an http:// or https:// URL, got '${text}'.`;
  if (url.username !== '' || url.password !== '') return 'must not hold credentials. Put them in apiKey.';
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment.';
  return undefined;
}

export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

export function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** `backends[0].url` */
export function nameOf(path: readonly PropertyKey[]): string {
  const name = path.reduce<string>(
    (text, step) =>
      typeof step === 'number' ? `${text}[${String(step)}]` : `${text}${text && '.'}${String(step)}`,
    '',
  );
  return name === '' ? 'the file' : name;
}

/** Secrets are not shown, nor what might hold one. */
function show(value: unknown, path: readonly PropertyKey[]): string {
  if (/key|header|hash|secret/i.test(nameOf(path))) return `a ${typeof value}`;
  return typeof value === 'string' ? `'${value.slice(0, 80)}'` : JSON.stringify(value ?? null).slice(0, 80);
}

function closest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3));
  return candidates
    .map((candidate) => ({ candidate, apart: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ apart }) => apart <= limit)
    .sort((a, b) => a.apart - b.apart)[0]?.candidate;
}

/** The settings that the schema knows at a place. */
function keysAt(path: readonly PropertyKey[], schema: z.core.$ZodType): string[] {
  let described: unknown = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  for (const step of path) {
    const node = asObject(described);
    described =
      typeof step === 'number'
        ? node.items
        : (asObject(node.properties)[String(step)] ?? node.additionalProperties);
  }
  return Object.keys(asObject(asObject(described).properties));
}
