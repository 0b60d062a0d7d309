/** The configuration that holds as the operator may see it: every setting and its source, and no secret. */

import { isJsonObject, type JsonObject } from '../core/json.ts';
import { nameOf, type Locate } from './faults.ts';

export interface ConfigDescription {
  /** All settings with their defaults; secrets are `***`. */
  readonly settings: JsonObject;
  /** `backends[0].url` → `gateway.yaml:4:5` or `environment NAME`; what has its default is not in it. */
  readonly sources: Readonly<Record<string, string>>;
}

const HIDDEN = '***';
/** Settings that hold a secret, in whatever place: `key`, `apiKey`, `hashSecret`, `password`, … */
const SECRET_NAME =
  /^(keys?|hash)$|api_?key|admin_?key|secret|passw|passphrase|token$|credential|cookie|authorization/i;
/** Settings of which every value may be one. */
const SECRET_MAP = 'headers';
const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
/** Shorter texts stand in too many places to be looked for. */
const MIN_SECRET_LENGTH = 8;

/** `settings`: checked, with defaults. `raw`: what file and environment say. */
export function describeConfig(settings: JsonObject, raw: unknown, locate: Locate): ConfigDescription {
  const secrets = new Set<string>();
  const hidden = hide(settings, '', secrets);
  const long = [...secrets].filter(({ length }) => length >= MIN_SECRET_LENGTH);
  const shown = sweep(hidden, long);
  const places = Object.fromEntries(pathsOf(raw, []).map((path) => [nameOf(path), locate(path)]));
  return { settings: isJsonObject(shown) ? shown : {}, sources: places };
}

/** Adds what it hides to `secrets`. */
function hide(value: unknown, name: string, secrets: Set<string>): unknown {
  if (typeof value === 'string') {
    if (!SECRET_NAME.test(name)) return HAS_SCHEME.test(value) ? withoutCredentials(value) : value;
    secrets.add(value);
    return HIDDEN;
  }
  if (Array.isArray(value)) return value.map((item) => hide(item, name, secrets));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      hide(item, name === SECRET_MAP ? 'secret' : key, secrets),
    ]),
  );
}

/** One that was repeated under another name. */
function sweep(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return secrets.some((secret) => value.includes(secret)) ? HIDDEN : value;
  if (Array.isArray(value)) return value.map((item) => sweep(item, secrets));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sweep(item, secrets)]));
}

/** `redis://:password@host` and `?key=…` */
function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return HIDDEN;
  const url = new URL(text);
  if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return text;
  const user = url.username === '' && url.password === '' ? '' : `${HIDDEN}@`;
  return `${url.protocol}//${user}${url.host}${url.pathname}`;
}

type Path = readonly PropertyKey[];

/** Of all values that are no maps; a list of plain values is one value. */
function pathsOf(value: unknown, path: Path): Path[] {
  if (Array.isArray(value) && value.some(isJsonObject)) {
    return value.flatMap((item, i) => pathsOf(item, [...path, i]));
  }
  if (!isJsonObject(value)) return path.length === 0 ? [] : [path];
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key]));
}
