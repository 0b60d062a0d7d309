/** The functions that a model may call → the tools of a request to Ollama, as JSON text. */

import { GatewayError } from '../../core/errors.ts';
import {
  isExactArray,
  isExactObject,
  printExact,
  type Exact,
  type ExactObject,
} from '../../wire/exact-json.ts';
import { flattenSchema, stringsOf, type Flat, type SchemaBudget } from './schema.ts';
import { mergeSchemas } from './schema-merge.ts';
import { brief } from './schema-rules.ts';
import type { PlannedTool } from './tool-choice.ts';

/**
 * What all schemas of a request may become together, in characters. A model could read no tenth of it;
 * a few references to a long default make gigabytes of half a megabyte.
 */
const MAX_SCHEMA_CHARACTERS = 4 * 1024 * 1024;

/** Throws GatewayError (400) naming `param` when it is spent. */
export function createSchemaBudget(param: string): SchemaBudget {
  let left = MAX_SCHEMA_CHARACTERS;
  return {
    spend(characters) {
      left -= characters;
      if (left >= 0) return;
      throw new GatewayError('invalid_request', {
        message: `Invalid '${param}': written out, with all that they refer to, the schemas are longer than ${String(MAX_SCHEMA_CHARACTERS)} characters. Send fewer tools, or shorter schemas.`,
        param,
        code: 'string_above_max_length',
      });
    },
  };
}

/** `schema`: of its arguments. */
export function printTool(
  { spec }: PlannedTool,
  schema: ExactObject | undefined,
  budget: SchemaBudget,
): string {
  const flat = schema ? topLevel(flattenSchema(schema, budget)) : new Map<string, Exact>();
  const description = [spec.description ?? '', toldOf(flat)].filter((text) => text !== '').join(' ');
  const head = JSON.stringify({ name: spec.name, ...(description !== '' && { description }) }).slice(0, -1);
  const required = flat.get('required');
  // Without properties a template would print null.
  const properties = printExact(flat.get('properties') ?? new Map<string, Exact>());
  const rest = required === undefined ? '' : `,"required":${printExact(required)}`;
  return `{"type":"function","function":${head},"parameters":{"type":"object","properties":${properties}${rest}}}}`;
}

/** Ollama reads no description of the parameters as a whole, so the function's own has it. */
function toldOf(flat: Flat): string {
  const { description, enum: values, items } = Object.fromEntries(flat);
  const rules = [
    ...(values === undefined ? [] : [`enum: ${brief(values)}`]),
    ...(items === undefined ? [] : [`items: ${brief(items)}`]),
  ];
  const text = typeof description === 'string' ? description : '';
  return rules.length === 0 ? text : `${text} (${rules.join(', ')})`.trimStart();
}

/** A schema that is to stand inside another one, where its `#/…` would lead elsewhere. */
export function inlineReferences(schema: ExactObject, budget: SchemaBudget): ExactObject {
  return hasReference(schema) ? flattenSchema(schema, budget) : schema;
}

function hasReference(value: Exact): boolean {
  if (isExactArray(value)) return value.some(hasReference);
  if (!isExactObject(value)) return false;
  return value.has('$ref') || Array.from(value.values()).some(hasReference);
}

/** The arguments are one object: alternatives at the top become its properties together. */
function topLevel(schema: Flat): Flat {
  const alternatives = schema.get('anyOf');
  if (!isExactArray(alternatives)) return schema;
  const rest = new Map(schema);
  rest.delete('anyOf');
  const branches = alternatives.filter(isExactObject);
  const required = branches
    .map((branch) => new Set(stringsOf(branch.get('required'))))
    .reduce<string[] | undefined>(
      (common, names) => (common ? common.filter((name) => names.has(name)) : [...names]),
      undefined,
    );
  const told: Flat = new Map([['description', `(anyOf: ${brief(alternatives)})`]]);
  return mergeSchemas([
    rest,
    ...branches.map((branch) => new Map([...branch].filter(([keyword]) => keyword === 'properties'))),
    new Map([['required', required ?? []]]),
    told,
  ]);
}
