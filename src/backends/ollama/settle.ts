/**
 * What is said in several places of a request, and by the operator, becomes one value; where another
 * place says something else, that is lost, and told.
 */

import { GatewayError } from '../../core/errors.ts';
import type { Target } from '../../core/fleet.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { canonicalName, checkOption, isField, optionOf } from './options.ts';

/** One place that says it. */
export interface Wish<T> {
  /** Where the request says it; undefined: the operator does. */
  readonly param?: string;
  readonly value: T;
}

/** The value of the first wish. Those that wish for something else are put on the list. */
export function settle<T>(wishes: readonly Wish<T>[], lost: string[]): T | undefined {
  const [first, ...others] = wishes;
  if (!first || others.length === 0) return first?.value;
  const settled = JSON.stringify(first.value);
  for (const { param, value } of others) {
    if (param !== undefined && JSON.stringify(value) !== settled) lost.push(param);
  }
  return first.value;
}

export interface SettledOptions {
  /** Of the request's `options`. */
  readonly options: JsonObject;
  /** Members of the request itself. */
  readonly fields: JsonObject;
}

/** What an endpoint of OpenAI says of Ollama's options itself. */
export interface OwnParameters {
  /** Options with the parameters that become them; the first that is there counts. */
  readonly options: readonly (readonly [option: string, params: readonly string[]])[];
  readonly names: ReadonlySet<string>;
  /** It generates text. */
  readonly isSampled: boolean;
}

const SAME_NAMES = ['temperature', 'top_p', 'seed', 'frequency_penalty', 'presence_penalty', 'stop'];

function sampledBy(limits: readonly string[]): OwnParameters {
  return {
    options: [['num_predict', limits], ...SAME_NAMES.map((name) => [name, [name]] as const)],
    names: new Set([...limits, ...SAME_NAMES]),
    isSampled: true,
  };
}

export const CHAT_PARAMETERS = sampledBy(['max_completion_tokens', 'max_tokens']);
/** Not `max_completion_tokens`, which this API does not have and nobody has checked. */
export const COMPLETION_PARAMETERS = sampledBy(['max_tokens']);
export const EMBEDDING_PARAMETERS: OwnParameters = { options: [], names: new Set(), isSampled: false };

/**
 * The operator's options before the endpoint's own parameters before Ollama's options in the request,
 * at its top before those inside `options`. Absent ones stay absent, so that the model's own settings
 * hold. Throws GatewayError (400) for a value of a wrong type or out of its range.
 */
export function settleOptions(
  body: JsonObject,
  target: Target,
  own: OwnParameters,
  lost: string[],
): SettledOptions {
  const wishes = new Map<string, Wish<unknown>[]>();

  function wish(option: string, one: Wish<unknown>): void {
    if (one.value === undefined) return;
    const known = wishes.get(option);
    if (known) known.push(one);
    else wishes.set(option, [one]);
  }

  function wishExtra(name: string, value: unknown, param: string): void {
    const canonical = canonicalName(name);
    const option = value === null ? undefined : optionOf(canonical, target, own.isSampled);
    if (!option) return;
    checkOption(option, param, value);
    wish(canonical, { param, value: toOllama(canonical, value, target) });
  }

  for (const [option, value] of Object.entries(target.options))
    if (option !== 'think') wish(option, { value });
  for (const [option, params] of own.options) {
    for (const param of params) wish(option, { param, value: toOllama(option, body[param], target) });
  }
  for (const [name, value] of Object.entries(body)) if (!own.names.has(name)) wishExtra(name, value, name);
  for (const [name, value] of Object.entries(innerOptions(body))) wishExtra(name, value, `options.${name}`);
  return toSettled(wishes, lost);
}

function toSettled(wishes: ReadonlyMap<string, readonly Wish<unknown>[]>, lost: string[]): SettledOptions {
  const options: Record<string, unknown> = {};
  const fields: Record<string, unknown> = {};
  for (const [name, each] of wishes) (isField(name) ? fields : options)[name] = settle(each, lost);
  return { options, fields };
}

/** Throws GatewayError (400) when `options` is something else than an object. */
function innerOptions({ options }: JsonObject): JsonObject {
  if (options === null || options === undefined) return {};
  if (isJsonObject(options)) return options;
  throw new GatewayError('invalid_request', {
    message: "Invalid type for 'options': expected an object.",
    param: 'options',
    code: 'invalid_type',
  });
}

/** A value of the request in Ollama's terms; undefined when it says nothing. */
function toOllama(option: string, value: unknown, target: Target): unknown {
  if (value === null) return undefined;
  if (option === 'seed') return foldSeed(value);
  return option === 'stop' ? mergeStops(value, target.model?.stops ?? []) : value;
}

/** Ollama takes negative numbers and 0xFFFFFFFF for "random"; for OpenAI every seed is a seed. */
function foldSeed(seed: unknown): number | undefined {
  if (typeof seed !== 'bigint' && typeof seed !== 'number') return undefined;
  const range = 0xffff_ffffn; // 0 … 4294967294
  return Number(((BigInt(seed) % range) + range) % range);
}

/** The option replaces the stops of the model, so they are sent along. */
function mergeStops(stop: unknown, own: readonly string[]): readonly unknown[] | undefined {
  const asked = (Array.isArray(stop) ? (stop as unknown[]) : [stop ?? '']).filter((each) => each !== '');
  return asked.length === 0 ? undefined : [...new Set([...asked, ...own])];
}
