// The schema of gateway.yaml as JSON Schema, for the chart's value `config`, made of the program's own schema.
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';

const SOURCE = `
  import * as z from 'zod';
  import { configSchema } from './src/config/schema.ts';
  export { FIXED } from './src/reload.ts';
  export const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7', unrepresentable: 'any' });`;

const BUNDLE = 'node_modules/.cache/config-schema.mjs';

buildSync({
  stdin: { contents: SOURCE, resolveDir: '.', loader: 'ts' },
  outfile: BUNDLE,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
});
const program = await import(pathToFileURL(BUNDLE).href);

/** `${NAME}` and `${NAME:-default}`, which the program replaces. */
const REFERENCE = { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' };
/** A secret is nothing but the name of a variable: a ConfigMap is read by many. */
const SECRET = { type: 'string', pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$' };
const SECRETS = /^(key|keys|apiKey|adminKey|hashSecret|keyPassphrase|password|secret)$/;
/** What the chart sets itself, by paths. */
const OF_THE_CHART = [
  'server.port',
  'server.adminPort',
  'server.adminHost',
  'usage.enabled',
  'usage.folder',
  'redis.url',
  'redis.failClosed',
];

/** What `config` may be. */
export function configSchema() {
  const { $schema: _, ...schema } = program.schema;
  return convert(schema, '');
}

/** Paths of settings that a running gateway cannot take over. */
export function restartSettings() {
  return program.FIXED.filter((path) => !OF_THE_CHART.includes(path.join('.')));
}

function convert(schema, path) {
  if (Array.isArray(schema.type)) throw new Error(`${path}: several types in one schema`);
  if (schema.properties) return { ...schema, properties: convertAll(schema.properties, path) };
  if (schema.items) return { ...schema, items: convert(schema.items, `${path}[]`) };
  if (schema.anyOf) return { ...schema, anyOf: [...schema.anyOf, REFERENCE] };
  if (typeof schema.additionalProperties === 'object') {
    return { ...schema, additionalProperties: convert(schema.additionalProperties, `${path}.*`) };
  }
  // Names of models, texts and open objects may hold a reference as they are.
  if (schema.type === 'object' || schema.type === undefined) return schema;
  if (schema.type === 'string' && !schema.enum && !schema.pattern && !schema.minLength) return schema;
  const { description, default: value, ...rest } = schema;
  return {
    ...(description && { description }),
    ...(value !== undefined && { default: value }),
    anyOf: [rest, REFERENCE],
  };
}

function convertAll(properties, path) {
  const entries = Object.entries(properties).map(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const description = inner.description && { description: inner.description };
    // Keys of a list, and those that are written as they are.
    if (SECRETS.test(name) && inner.items?.type === 'string')
      return [name, { ...description, type: 'array', items: SECRET }];
    if (SECRETS.test(name) && inner.type === 'string') return [name, { ...description, ...SECRET }];
    return [name, convert(inner, at)];
  });
  const kept = entries.filter(([name]) => !OF_THE_CHART.includes(path === '' ? name : `${path}.${name}`));
  return Object.fromEntries(kept);
}
