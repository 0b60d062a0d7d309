/** The rules of a schema that Ollama has no place for, as words of its description. */

import { isExactArray, isExactObject, type Exact, type ExactObject } from '../../wire/exact-json.ts';

/** Kept or rewritten by schema.ts, or nothing that a model could heed. */
const DEALT_WITH: ReadonlySet<string> = new Set([
  'type',
  'description',
  'enum',
  'const',
  'nullable',
  'properties',
  'required',
  'items',
  'anyOf',
  'allOf',
  '$defs',
  'definitions',
  '$schema',
  '$id',
  '$anchor',
  '$comment',
]);

/** Their values are schemas, or lists or maps of schemas, and may refer to others. */
const OF_SCHEMA: ReadonlySet<string> = new Set([
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
  'items',
  'additionalItems',
  'additionalProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
const OF_SCHEMAS: ReadonlySet<string> = new Set([
  'oneOf',
  'prefixItems',
  'patternProperties',
  'dependentSchemas',
]);

/** Characters of one rule that are told. */
const MAX_RULE_LENGTH = 400;

/** The description of a schema with its untold rules. `flatten`: takes what a schema refers to into it. */
export function describeRules(schema: ExactObject, flatten: (part: Exact) => Exact): string {
  const rules: string[] = [];
  for (const [keyword, value] of schema) {
    if (!isUntold(keyword, value, schema)) continue;
    rules.push(`${keyword}: ${brief(withoutReferences(keyword, value, flatten))}`);
  }
  const own = schema.get('description');
  const text = typeof own === 'string' ? own : '';
  return rules.length === 0 ? text : `${text} (${rules.join(', ')})`.trimStart();
}

function isUntold(keyword: string, value: Exact, schema: ExactObject): boolean {
  switch (keyword) {
    case 'items':
      // A tuple, or no further items: of neither is the rule in what is kept.
      return isExactArray(value) || value === false || schema.has('prefixItems');
    case 'oneOf':
      // It is told as anyOf, unless it comes on top of that.
      return !isExactArray(value) || isExactArray(schema.get('anyOf'));
    case 'anyOf':
    case 'enum':
    case 'required':
      return !isExactArray(value);
    case 'nullable':
      // Else it is a type beside the other.
      return value === true && !schema.has('type') && !schema.has('properties');
    default:
      return !DEALT_WITH.has(keyword);
  }
}

function withoutReferences(keyword: string, value: Exact, flatten: (part: Exact) => Exact): Exact {
  if (OF_SCHEMA.has(keyword) && isExactObject(value)) return flatten(value);
  if (!OF_SCHEMAS.has(keyword) && keyword !== 'items') return value;
  if (isExactArray(value)) return value.map((part) => (isExactObject(part) ? flatten(part) : part));
  if (!isExactObject(value)) return value;
  return new Map(Array.from(value, ([name, part]) => [name, isExactObject(part) ? flatten(part) : part]));
}

/** JSON, cut off where it becomes too long: it is not even printed any further. */
export function brief(value: Exact): string {
  let text = '';
  const isFull = (): boolean => text.length > MAX_RULE_LENGTH;

  function list<T>(open: string, items: Iterable<T>, print: (item: T) => void, close: string): void {
    let separator = open;
    for (const item of items) {
      if (isFull()) return;
      text += separator;
      separator = ',';
      print(item);
    }
    text += separator === open ? open + close : close;
  }

  function print(each: Exact): void {
    if (isFull()) return;
    if (isExactArray(each)) list('[', each, print, ']');
    else if (isExactObject(each)) list('{', each, printMember, '}');
    else if (typeof each === 'string') text += JSON.stringify(each.slice(0, MAX_RULE_LENGTH + 1));
    else text += typeof each === 'object' && each !== null ? each.digits : String(each);
  }

  function printMember([name, each]: readonly [string, Exact]): void {
    text += `${JSON.stringify(name.slice(0, MAX_RULE_LENGTH))}:`;
    print(each);
  }

  print(value);
  return isFull() ? `${text.slice(0, MAX_RULE_LENGTH)}…` : text;
}
