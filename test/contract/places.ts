/** Every place of a request that a schema of openapi.yaml knows, and a body in which it is filled. */

import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import { find, membersOf as namesIn, type Place } from './document.ts';

export interface BodyPlace {
  /** `messages[](user).content[](text).text`: the constants of an object tell which of several it is. */
  readonly id: string;
  /** The same without them, as the gateway names it but for the numbers. */
  readonly path: string;
  /** Values may stand here; else it is an object that may have members nobody knows. */
  readonly isValue: boolean;
  /** A body with `value` here, and with what the schema requires around it. */
  body(value: unknown): JsonObject;
}

/** Puts a value into what is around it. */
type Wrap = (value: unknown) => unknown;
/** Of required members, by the id of their place. */
export type Usual = Readonly<Record<string, unknown>>;

export function placesOf(schema: Place, usual: Usual): BodyPlace[] {
  const places = new Map<string, BodyPlace>();
  visit(schema, '', (value) => value);
  return [...places.values()];

  function visit(place: Place, id: string, wrap: Wrap): void {
    const alternatives = alternativesOf(place);
    if (alternatives.length > 0) {
      for (const each of alternatives) visit(each, id, wrap);
    } else if (find(['properties'], place)) {
      visitObject(place, id, wrap);
    } else if (find(['items'], place) && isStructured(find(['items'], place))) {
      visit(at(['items'], place), `${id}[]`, (value) => wrap([value]));
    } else if (!isNull(place)) {
      add({ id, isValue: true, wrap });
    }
  }

  function visitObject(place: Place, id: string, wrap: Wrap): void {
    const constants = constantsOf(place);
    const own = idOf(place, id);
    const around = { ...constants, ...requiredOf(place, own, usual) };
    add({
      id: `${own}.*`,
      isValue: false,
      wrap: (value) => wrap({ ...around, ...Object(value) }),
    });
    for (const name of membersOf(place)) {
      if (name in constants) continue;
      const member = own === '' ? name : `${own}.${name}`;
      visit(at(['properties', name], place), member, (value) => wrap({ ...around, [name]: value }));
    }
  }

  function add({ id, isValue, wrap }: Pick<BodyPlace, 'id' | 'isValue'> & { wrap: Wrap }): void {
    if (places.has(id)) return;
    const path = id.replace(/\([^)]*\)/g, '').replace(/^\./, '');
    places.set(id, { id, path, isValue, body: (value) => wrap(value) as JsonObject });
  }
}

function alternativesOf(place: Place): Place[] {
  return ['oneOf', 'anyOf'].flatMap((keyword) => {
    const list = find([keyword], place);
    if (!Array.isArray(list?.value)) return [];
    const { pointer, value } = list;
    return value.map((each: unknown, i) => at([], { pointer: `${pointer}/${String(i)}`, value: each }));
  });
}

function membersOf(place: Place): string[] {
  return namesIn(find(['properties'], place));
}

/** Values that tell one alternative from the others. */
function constantsOf(place: Place): JsonObject {
  return Object.fromEntries(
    membersOf(place).flatMap((name) => {
      const constant = find(['properties', name, 'const'], place);
      return constant ? [[name, constant.value]] : [];
    }),
  );
}

function requiredOf(place: Place, id: string, usual: Usual): JsonObject {
  const required = (find(['required'], place)?.value ?? []) as string[];
  return Object.fromEntries(
    required.map((name) => {
      const member = id === '' ? name : `${id}.${name}`;
      return [name, sampleOf(at(['properties', name], place), member, usual)];
    }),
  );
}

function sampleOf(place: Place, id: string, usual: Usual): unknown {
  if (id in usual) return usual[id];
  const [first] = alternativesOf(place);
  if (first) return sampleOf(first, id, usual);
  const constant = find(['const'], place);
  if (constant) return constant.value;
  if (find(['properties'], place)) {
    return { ...constantsOf(place), ...requiredOf(place, idOf(place, id), usual) };
  }
  const type = find(['type'], place)?.value;
  if (type === 'array') return [sampleOf(at(['items'], place), `${id}[]`, usual)];
  return type === 'object' ? {} : 's';
}

function idOf(place: Place, id: string): string {
  const constants = Object.values(constantsOf(place));
  return constants.length === 0 ? id : `${id}(${constants.join(',')})`;
}

function at(steps: readonly string[], from: Place): Place {
  const place = find(steps, from);
  if (!place) throw new Error(`nothing at ${steps.join('/')} of ${from.pointer}`);
  return place;
}

function isStructured(place: Place | undefined): boolean {
  if (!place) return false;
  return find(['properties'], place) !== undefined || alternativesOf(place).some(isStructured);
}

function isNull(place: Place): boolean {
  return isJsonObject(place.value) && place.value.type === 'null';
}
