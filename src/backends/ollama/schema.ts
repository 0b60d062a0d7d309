/**
 * JSON Schema → the narrow schema that Ollama decodes tools into. It keeps type, description, enum,
 * items, properties, required and anyOf; all else would vanish without a word, so it is rewritten
 * into those or told to the model in the description.
 */

import { isExactArray, isExactObject, type Exact, type ExactObject } from '../../wire/exact-json.ts';
import { mergeSchemas } from './schema-merge.ts';
import { describeRules } from './schema-rules.ts';

/** A schema in Ollama's words. */
export type Flat = ExactObject;

/** How much may become of the schemas of a request: references can multiply without end. */
export interface SchemaBudget {
  /** Takes the size of what a part of a schema became, in characters; throws when it is spent. */
  spend(characters: number): void;
}

/** References inside references are followed this far; a schema that refers to itself ends here. */
const MAX_REFERENCES = 8;
const MAX_DEPTH = 64;
const MAX_NODES = 5000;
/** Of punctuation and the names of keywords. */
const NODE_CHARACTERS = 16;

const NESTED_FURTHER: Flat = new Map([
  ['type', 'object'],
  ['description', 'Nested further in the same form.'],
]);

interface Walk {
  readonly root: ExactObject;
  readonly budget: SchemaBudget;
  /** Of this schema, by all its branches together. */
  readonly nodes: { left: number };
  readonly references: number;
  readonly depth: number;
}

export function flattenSchema(root: ExactObject, budget: SchemaBudget): Flat {
  return flatten(root, { root, budget, nodes: { left: MAX_NODES }, references: 0, depth: 0 });
}

function flatten(schema: Exact, walk: Walk): Flat {
  if (!isExactObject(schema)) return new Map(); // true and false
  if (walk.references > MAX_REFERENCES || walk.depth > MAX_DEPTH || walk.nodes.left-- <= 0) {
    return NESTED_FURTHER;
  }
  const inner = { ...walk, depth: walk.depth + 1 };
  const allOf = schema.get('allOf');
  const referred = resolve(schema.get('$ref'), walk.root);
  if (referred === undefined && !isExactArray(allOf)) return flattenOwn(schema, inner);
  const own = new Map(schema);
  const parts: Flat[] = [];
  if (referred !== undefined) {
    own.delete('$ref');
    parts.push(flatten(referred, { ...inner, references: walk.references + 1 }));
  }
  if (isExactArray(allOf)) {
    own.delete('allOf');
    parts.push(...allOf.map((part) => flatten(part, inner)));
  }
  return own.size === 0 ? mergeSchemas(parts) : mergeSchemas([...parts, flattenOwn(own, inner)]);
}

function flattenOwn(schema: ExactObject, inner: Walk): Flat {
  const flat = new Map<string, Exact>();
  const set = (keyword: string, value: Exact | undefined): void => {
    if (value !== undefined) flat.set(keyword, value);
  };
  const description = describeRules(schema, (part) => flatten(part, inner));
  set('type', typeOf(schema));
  set('description', description === '' ? undefined : description);
  set('enum', valuesOf(schema));
  const properties = schema.get('properties');
  if (isExactObject(properties)) {
    const flattened = new Map<string, Exact>();
    for (const [name, each] of properties) flattened.set(name, flatten(each, inner));
    flat.set('properties', flattened);
  }
  const required = schema.get('required');
  if (isExactArray(required)) flat.set('required', stringsOf(required));
  set('items', itemsOf(schema, inner));
  const [anyOf, oneOf] = [schema.get('anyOf') ?? [], schema.get('oneOf') ?? []];
  const alternatives = [...(isExactArray(anyOf) ? anyOf : []), ...(isExactArray(oneOf) ? oneOf : [])];
  if (alternatives.length > 0) {
    flat.set(
      'anyOf',
      alternatives.map((branch) => flatten(branch, inner)),
    );
  }
  inner.budget.spend(NODE_CHARACTERS + sizeOf(flat));
  return flat;
}

/** Of what a node has itself; its parts have told theirs. */
function sizeOf(flat: Flat): number {
  let size = 0;
  for (const keyword of ['type', 'description', 'enum', 'required']) size += lengthOf(flat.get(keyword));
  const properties = flat.get('properties');
  if (isExactObject(properties)) for (const name of properties.keys()) size += name.length;
  return size;
}

function lengthOf(value: Exact | undefined): number {
  if (typeof value === 'string') return value.length;
  if (isExactArray(value)) return value.reduce<number>((sum, each) => sum + lengthOf(each) + 1, 0);
  if (!isExactObject(value)) return typeof value === 'object' && value !== null ? value.digits.length : 4;
  let size = 0;
  for (const [name, each] of value) size += name.length + lengthOf(each);
  return size;
}

/** Follows `#/$defs/…` and the like inside the same schema; undefined for what leads elsewhere. */
function resolve(reference: Exact | undefined, root: ExactObject): Exact | undefined {
  if (typeof reference !== 'string' || !reference.startsWith('#')) return undefined;
  let value: Exact | undefined = root;
  for (const step of reference.slice(1).split('/').filter(Boolean)) {
    const name = step.replace(/~1/g, '/').replace(/~0/g, '~');
    if (isExactObject(value)) value = value.get(name);
    else if (isExactArray(value)) value = value[Number(name)];
    else return undefined;
  }
  return value;
}

/** undefined for what is no type: Ollama would refuse the whole request for it. */
function typeOf(schema: ExactObject): Exact | undefined {
  const type = schema.get('type') ?? (isExactObject(schema.get('properties')) ? 'object' : undefined);
  const types = typeof type === 'string' ? [type] : isExactArray(type) ? stringsOf(type) : [];
  if (types.length === 0) return undefined;
  if (schema.get('nullable') === true && !types.includes('null')) return [...types, 'null'];
  return typeof type === 'string' ? type : types;
}

function valuesOf(schema: ExactObject): Exact | undefined {
  const constant = schema.get('const');
  if (constant !== undefined) return [constant];
  const values = schema.get('enum');
  return isExactArray(values) ? values : undefined;
}

/** Of a tuple, any of its items may stand anywhere; where they belong is told in the description. */
function itemsOf(schema: ExactObject, inner: Walk): Exact | undefined {
  const items = schema.get('items');
  const prefix = schema.get('prefixItems');
  const tuple = isExactArray(prefix) ? prefix : isExactArray(items) ? items : undefined;
  if (!tuple) return isExactObject(items) ? flatten(items, inner) : undefined;
  const rest = isExactArray(prefix) ? items : schema.get('additionalItems');
  const kinds = [...tuple, ...(isExactObject(rest) ? [rest] : [])].map((item) => flatten(item, inner));
  return kinds.length === 1 ? kinds[0] : new Map([['anyOf', kinds]]);
}

export function stringsOf(value: Exact | undefined): string[] {
  return isExactArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
