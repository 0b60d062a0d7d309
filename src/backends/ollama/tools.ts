/**
 * JSON Schema → the narrow schema that Ollama decodes tools into. It keeps type, description,
 * enum, items, properties, required and anyOf; all else would vanish without a word, so it is
 * rewritten into those or told to the model in the description.
 */

import type { FunctionSpec } from '../../core/chat.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';

/** References inside references are followed this far; a schema that refers to itself ends here. */
const MAX_REFERENCES = 8;
const MAX_DEPTH = 64;
const MAX_NODES = 5000;

/** Rules without a place in Ollama's schema; a model can still read them. */
const TOLD_RULES = [
  'default',
  'format',
  'pattern',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'additionalProperties',
  'examples',
  'title',
] as const;

interface OllamaTool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string;
    readonly parameters: JsonObject;
  };
}

export function toOllamaTool({ name, description, parameters }: FunctionSpec): OllamaTool {
  const schema = isJsonObject(parameters) ? topLevel(flattenRoot(parameters)) : {};
  return {
    type: 'function',
    function: {
      name,
      ...(description && { description }),
      // Without properties a template would print null.
      parameters: { ...schema, type: 'object', properties: schema.properties ?? {} },
    },
  };
}

/** A schema that is to stand inside another one, where its `#/…` would lead elsewhere. */
export function inlineReferences(schema: JsonObject): JsonObject {
  return JSON.stringify(schema).includes('"$ref"') ? flattenRoot(schema) : schema;
}

function flattenRoot(root: JsonObject): JsonObject {
  return flatten(root, { root, budget: { nodes: MAX_NODES }, references: 0, depth: 0 });
}

/** The arguments are one object: alternatives at the top become its properties together. */
function topLevel(schema: JsonObject): JsonObject {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const branches = anyOf.filter(isJsonObject);
  const required = branches
    .map((branch) => new Set(stringsOf(branch.required)))
    .reduce<string[] | undefined>(
      (common, names) => (common ? common.filter((name) => names.has(name)) : [...names]),
      undefined,
    );
  return mergeAll([
    rest,
    ...branches.map((branch) => ({ ...branch, required: [] })),
    { required: required ?? [] },
  ]);
}

/** Where a schema's own rules end and how much of it is left to walk. */
interface Walk {
  readonly root: JsonObject;
  /** Shared by all branches: references can multiply without end. */
  readonly budget: { nodes: number };
  readonly references: number;
  readonly depth: number;
}

function flatten(schema: unknown, walk: Walk): JsonObject {
  if (!isJsonObject(schema)) return {}; // true and false
  if (walk.references > MAX_REFERENCES || walk.depth > MAX_DEPTH || walk.budget.nodes-- <= 0) {
    return { type: 'object', description: 'Nested further in the same form.' };
  }
  const inner = { ...walk, depth: walk.depth + 1 };
  const { $ref, allOf, ...own } = schema;
  if (typeof $ref === 'string') {
    const referred = { ...inner, references: walk.references + 1 };
    return mergeAll([flatten(resolve($ref, walk.root), referred), flatten(own, inner)]);
  }
  if (Array.isArray(allOf)) {
    return mergeAll([own, ...(allOf as unknown[])].map((part) => flatten(part, inner)));
  }
  return flattenOwn(own, inner);
}

function flattenOwn(schema: JsonObject, inner: Walk): JsonObject {
  const flat: Record<string, unknown> = {};
  const type = typeOf(schema);
  if (type !== undefined) flat.type = type;
  const description = describe(schema);
  if (description !== '') flat.description = description;
  if ('const' in schema) flat.enum = [schema.const];
  else if (Array.isArray(schema.enum)) flat.enum = schema.enum;
  if (isJsonObject(schema.properties)) {
    flat.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, value]) => [name, flatten(value, inner)]),
    );
  }
  if (Array.isArray(schema.required)) flat.required = stringsOf(schema.required);
  if (schema.items !== undefined) flat.items = flatten(schema.items, inner);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(alternatives)) {
    flat.anyOf = alternatives.map((branch: unknown) => flatten(branch, inner));
  }
  return flat;
}

/** Follows `#/$defs/…` and the like inside the same schema; elsewhere is nowhere. */
function resolve(reference: string, root: JsonObject): unknown {
  if (!reference.startsWith('#')) return {};
  let value: unknown = root;
  for (const step of reference.slice(1).split('/').filter(Boolean)) {
    if (!isJsonObject(value)) return {};
    value = value[step.replace(/~1/g, '/').replace(/~0/g, '~')];
  }
  return value;
}

function typeOf(schema: JsonObject): unknown {
  const type = schema.type ?? (isJsonObject(schema.properties) ? 'object' : undefined);
  if (schema.nullable !== true || type === undefined) return type;
  const types: unknown[] = Array.isArray(type) ? type : [type];
  return types.includes('null') ? types : [...types, 'null'];
}

function describe(schema: JsonObject): string {
  const rules = TOLD_RULES.filter((rule) => schema[rule] !== undefined).map(
    (rule) => `${rule}: ${JSON.stringify(schema[rule])}`,
  );
  const own = typeof schema.description === 'string' ? schema.description : '';
  return rules.length === 0 ? own : `${own} (${rules.join(', ')})`.trimStart();
}

/** Later schemas win; properties and required names are united. */
function mergeAll(schemas: readonly JsonObject[]): JsonObject {
  return schemas.reduce<JsonObject>((merged, schema) => {
    const both: Record<string, unknown> = { ...merged, ...schema };
    if (isJsonObject(merged.properties) && isJsonObject(schema.properties)) {
      both.properties = { ...merged.properties, ...schema.properties };
    }
    const required = new Set([...stringsOf(merged.required), ...stringsOf(schema.required)]);
    if (required.size > 0) both.required = [...required];
    return both;
  }, {});
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
