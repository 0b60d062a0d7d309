/** What a request asks for and does not get, because the operator fixed something else for the model. */

import type { JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';

/** Names of parameters. `valueOf`: what the request says, null or undefined for nothing. */
export function overruledParams({ options }: Target, valueOf: (name: string) => unknown): string[] {
  return Object.entries(options).flatMap(([name, fixed]) => {
    const value = valueOf(name);
    return value === null || value === undefined || isSame(value, fixed) ? [] : [name];
  });
}

/** A member of the request's own, and nothing that all objects have. */
export function memberOf(body: JsonObject): (name: string) => unknown {
  return (name) => (Object.hasOwn(body, name) ? body[name] : undefined);
}

function isSame(value: unknown, fixed: unknown): boolean {
  if (typeof value === 'bigint') return String(value) === String(fixed);
  return JSON.stringify(value) === JSON.stringify(fixed);
}
