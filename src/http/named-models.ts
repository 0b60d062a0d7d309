/** A key for certain models: every model that its request names must be one of them. */

import type { Client } from '../core/client.ts';
import type { Catalog } from '../core/fleet.ts';
import { isJsonObject, parseJson } from '../core/json.ts';

/**
 * Members that name models, in any letters: servers written in Go do not tell `Model` from `model`.
 * Routers among the servers take others to fall back on.
 */
const MODEL_MEMBER = /^(model|models|fallbacks)$/i;
/** What to turn to may be objects, with a model each or with models by name: every string in them is one. */
const LIST = /^(models|fallbacks)$/i;
/** The client's own notes. */
const NOTES = 'metadata';
const PATH_WITH_MODEL = /^\/(?:engines|deployments)\/([^/?]+)/i;

/** Of a body that is valid JSON. Throws model_not_found. `isDeep`: at any depth, where the shape is not known. */
export function checkNamedModels(json: string, client: Client, catalog: Catalog, isDeep: boolean): void {
  if (client.models === undefined) return;
  for (const name of namesIn(parseJson(json), isDeep)) catalog.resolve(name, client);
}

/** Of a path below /v1, with its query. Throws model_not_found. */
export function checkModelsOfPath(path: string, client: Client, catalog: Catalog): void {
  if (client.models === undefined) return;
  const { pathname, searchParams } = new URL(path, 'http://gateway');
  const [, ofPath] = PATH_WITH_MODEL.exec(pathname) ?? [];
  // The router has decoded it already: it can be.
  if (ofPath !== undefined) searchParams.append('model', decodeURIComponent(ofPath));
  for (const [name, model] of searchParams) {
    if (MODEL_MEMBER.test(name)) catalog.resolve(model, client);
  }
}

function* namesIn(body: unknown, isDeep: boolean): Generator<string> {
  // No recursion: a client decides how deep this goes.
  const left: unknown[] = [body];
  while (left.length > 0) {
    const value = left.pop();
    const members = isJsonObject(value) ? Object.entries(value) : [];
    for (const [name, inner] of members) {
      if (value === body && LIST.test(name)) yield* allStringsOf(inner);
      else if (MODEL_MEMBER.test(name)) yield* stringsOf(inner);
      if (isDeep && name !== NOTES) left.push(inner);
    }
    if (isDeep && Array.isArray(value)) for (const item of value) left.push(item);
  }
}

/** Without the space around them that surfaces take away as well. */
function* stringsOf(value: unknown): Generator<string> {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const item of items) if (typeof item === 'string') yield item.trim();
}

function* allStringsOf(value: unknown): Generator<string> {
  const left: unknown[] = [value];
  while (left.length > 0) {
    const each = left.pop();
    if (typeof each === 'string') yield each.trim();
    else if (typeof each === 'object' && each !== null)
      for (const inner of Object.values(each)) left.push(inner);
  }
}
