/** openapi.yaml as data: its operations, and what stands behind a pointer into it. */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';

export const DOCUMENT_URL = new URL('../../openapi.yaml', import.meta.url);
export const documentText = readFileSync(DOCUMENT_URL, 'utf8');
export const document = parse(documentText) as JsonObject;

/** A place in the document after all references on the way were followed. */
export interface Place {
  /** A JSON pointer (RFC 6901), usable after `openapi.yaml#`. */
  readonly pointer: string;
  readonly value: unknown;
}

/** What stands at `steps` from `from`; undefined when there is nothing. */
export function find(steps: readonly string[], from: Place = root()): Place | undefined {
  let place = follow(from);
  for (const step of steps) {
    if (!isJsonObject(place.value) || !(step in place.value)) return undefined;
    place = follow({ pointer: `${place.pointer}/${escape(step)}`, value: place.value[step] });
  }
  return place;
}

function root(): Place {
  return { pointer: '', value: document };
}

function follow(place: Place): Place {
  if (!isJsonObject(place.value) || typeof place.value.$ref !== 'string') return place;
  const steps = place.value.$ref.replace(/^#\//, '').split('/');
  const target = find(steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')));
  if (!target) throw new Error(`a reference to nothing: ${place.value.$ref}`);
  return target;
}

function escape(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')).replaceAll('%7E', '~');
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** The operation `POST /v1/chat/completions`. */
export function operation(name: string): Place {
  const [method = '', path = ''] = name.split(' ');
  const place = find(['paths', path, method.toLowerCase()]);
  if (!place) throw new Error(`the document has no operation ${name}`);
  return place;
}

/** `GET /health` and so on. */
export function operationNames(): string[] {
  return membersOf(find(['paths'])).flatMap((path) =>
    membersOf(find(['paths', path]))
      .filter((method) => METHODS.includes(method))
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
}

export function membersOf(place: Place | undefined): string[] {
  return isJsonObject(place?.value) ? Object.keys(place.value) : [];
}
