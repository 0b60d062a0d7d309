/**
 * What is made of a request, place by place. What a tree of uses does not list has no use, and is
 * named to the client: nothing is dropped because somebody forgot about it.
 */

import { isJsonObject, type JsonObject } from '../../core/json.ts';

/** `C`: what a use depends on besides the value. */
export type Use<C> = 'whole' | 'nothing' | Items<C> | Members<C> | ((value: unknown, context: C) => Use<C>);

interface Items<C> {
  readonly items: Use<C>;
}
interface Members<C> {
  readonly members: Readonly<Record<string, Use<C>>>;
  /** Of members that are not listed; nothing unless given. */
  readonly others?: (name: string, context: C) => Use<C>;
}

/** More names say nothing more, and a client can send as many as it likes. */
const MAX_NAMES = 50;

/**
 * The places of `value` that are not used, as OpenAI names parameters: `messages[0].name`. Each kind of
 * place once, under the first of its kind. Nothing is said of null and of what is empty.
 */
export function unusedOf<C>(value: unknown, use: Use<C>, context: C): string[] {
  /** From the root to where we are; most visits never need it printed. */
  const steps: (string | number)[] = [];
  /** By the path without its numbers. */
  const unused = new Map<string, string>();
  visit(value, use);
  return [...unused.values()];

  function visit(each: unknown, given: Use<C>): void {
    if (given === 'whole' || isNothing(each) || unused.size >= MAX_NAMES) return;
    if (given === 'nothing') note();
    else if (typeof given === 'function') visit(each, given(each, context));
    else if ('items' in given) visitItems(each, given.items);
    else if (isJsonObject(each)) visitMembers(each, given);
  }

  function visitItems(list: unknown, items: Use<C>): void {
    if (!Array.isArray(list)) return;
    for (let i = 0; i < list.length; i++) visitAt(i, list[i], items);
  }

  function visitMembers(object: JsonObject, { members, others }: Members<C>): void {
    for (const name of Object.keys(object)) {
      const listed = Object.hasOwn(members, name) ? members[name] : others?.(name, context);
      if (listed !== 'whole') visitAt(name, object[name], listed ?? 'nothing');
    }
  }

  function visitAt(step: string | number, each: unknown, given: Use<C>): void {
    steps.push(step);
    visit(each, given);
    steps.pop();
  }

  function note(): void {
    const kind = pathOf(steps.map((step) => (typeof step === 'number' ? '[]' : step)));
    if (!unused.has(kind)) unused.set(kind, pathOf(steps));
  }
}

function pathOf(steps: readonly (string | number)[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${String(step)}]`;
    return path === '' ? step : `${path}.${step}`;
  }, '');
}

function isNothing(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
