/** Schemas that hold together (`allOf`, a reference with rules beside it) → one. */

import {
  isExactArray,
  isExactObject,
  printExact,
  type Exact,
  type ExactObject,
} from '../../wire/exact-json.ts';
import { brief } from './schema-rules.ts';

/** In Ollama's words, as they come and go. */
export function mergeSchemas(schemas: readonly ExactObject[]): ExactObject {
  const [first = new Map<string, Exact>(), ...others] = schemas;
  return others.reduce(mergeTwo, first);
}

function mergeTwo(one: ExactObject, other: ExactObject): ExactObject {
  const both = new Map(one);
  for (const [keyword, value] of other) {
    const before = both.get(keyword);
    both.set(keyword, before === undefined ? value : mergeValues(keyword, before, value));
  }
  const second = other.get('anyOf');
  // One of each list must hold, which one list cannot say.
  if (one.has('anyOf') && second !== undefined) {
    both.set('description', joinTexts(both.get('description') ?? '', `(and anyOf: ${brief(second)})`));
  }
  return both;
}

function mergeValues(keyword: string, one: Exact, other: Exact): Exact {
  switch (keyword) {
    case 'description':
      return joinTexts(one, other);
    case 'properties':
      return isExactObject(one) && isExactObject(other) ? mergeProperties(one, other) : other;
    case 'items':
      return isExactObject(one) && isExactObject(other) ? mergeTwo(one, other) : other;
    case 'required':
    case 'anyOf':
      return isExactArray(one) && isExactArray(other) ? union(one, other) : other;
    case 'enum':
    case 'type':
      return inCommon(one, other);
    default:
      return other;
  }
}

function mergeProperties(one: ExactObject, other: ExactObject): ExactObject {
  const both = new Map(one);
  for (const [name, schema] of other) {
    const before = both.get(name);
    const isTwice = isExactObject(before) && isExactObject(schema);
    both.set(name, isTwice ? mergeTwo(before, schema) : schema);
  }
  return both;
}

function joinTexts(one: Exact, other: Exact): Exact {
  if (typeof one !== 'string' || one === '' || one === other) return other;
  return typeof other === 'string' ? `${one} ${other}` : one;
}

function union(one: readonly Exact[], other: readonly Exact[]): readonly Exact[] {
  const known = new Set(one.map(printExact));
  return [...one, ...other.filter((item) => !known.has(printExact(item)))];
}

/** What both allow; the later one where they have nothing in common. */
function inCommon(one: Exact, other: Exact): Exact {
  const allowed = new Set((isExactArray(one) ? one : [one]).map(printExact));
  const common = (isExactArray(other) ? other : [other]).filter((value) => allowed.has(printExact(value)));
  if (common.length === 0) return other;
  return isExactArray(other) ? common : (common[0] ?? other);
}
