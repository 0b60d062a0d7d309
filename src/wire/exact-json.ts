/**
 * JSON values whose numbers keep their digits and whose members keep their order: what JSON.parse
 * would round, or move to the front because it looks like an index. Slower than that, so for the parts
 * of a request that must be taken apart.
 */

import { afterSpace, endOfPlain, endOfString, stringAt } from './json-slice.ts';

export type Exact = string | boolean | null | ExactNumber | readonly Exact[] | ExactObject;
export interface ExactNumber {
  /** As it was written. */
  readonly digits: string;
}
export type ExactObject = ReadonlyMap<string, Exact>;

/** undefined is no object either. */
export function isExactObject(value: Exact | undefined): value is ExactObject {
  return value instanceof Map;
}

/** Array.isArray, which does not tell readonly ones from the rest. */
export function isExactArray(value: Exact | undefined): value is readonly Exact[] {
  return Array.isArray(value);
}

/** Takes valid JSON: it was parsed before. Of members with the same name the last counts. */
export function parseExact(json: string): Exact {
  let at = afterSpace(json, 0);

  function value(): Exact {
    const first = json.charAt(at);
    if (first === '{') return object();
    if (first === '[') return array();
    if (first === '"') return text();
    const start = at;
    at = endOfPlain(json, start);
    const plain = json.slice(start, at);
    if (plain === 'true' || plain === 'false') return plain === 'true';
    return plain === 'null' ? null : { digits: plain };
  }

  function text(): string {
    const start = at;
    at = endOfString(json, start);
    return stringAt(json, start, at);
  }

  function object(): ExactObject {
    const members = new Map<string, Exact>();
    at = afterSpace(json, at + 1);
    while (json.charAt(at) === '"') {
      const name = text();
      at = afterSpace(json, afterSpace(json, at) + 1); // past the colon
      members.set(name, value());
      separator();
    }
    at++;
    return members;
  }

  function array(): readonly Exact[] {
    const items: Exact[] = [];
    at = afterSpace(json, at + 1);
    while (at < json.length && json.charAt(at) !== ']') {
      items.push(value());
      separator();
    }
    at++;
    return items;
  }

  function separator(): void {
    at = afterSpace(json, at);
    if (json.charAt(at) === ',') at = afterSpace(json, at + 1);
  }

  return value();
}

export function printExact(value: Exact): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (isExactObject(value)) return printObject(value);
  if (isExactArray(value)) return printArray(value);
  return typeof value === 'object' && value !== null ? value.digits : String(value);
}

function printObject(members: ExactObject): string {
  let text = '';
  for (const [name, value] of members) {
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${printExact(value)}`;
  }
  return `{${text}}`;
}

function printArray(items: readonly Exact[]): string {
  let text = '';
  for (const item of items) text += text === '' ? printExact(item) : `,${printExact(item)}`;
  return `[${text}]`;
}
