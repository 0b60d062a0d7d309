/** Ollama's own options: which of them a request may set, and what values they take. */

import { GatewayError } from '../../core/errors.ts';
import type { Target } from '../../core/fleet.ts';

interface Option {
  readonly type: 'integer' | 'number' | 'boolean' | 'duration' | 'texts' | 'scalar';
  readonly min?: number;
  readonly max?: number;
}

/** The server reads whole numbers into 32 bits. */
const MAX_INTEGER = 2 ** 31 - 1;
const whole = (min: number): Option => ({ type: 'integer', min, max: MAX_INTEGER });
const between = (min: number, max: number): Option => ({ type: 'number', min, max });
const BOOLEAN: Option = { type: 'boolean' };

/** Of sampling: a request may set them. Those of OpenAI's names have its ranges. */
const SAMPLING: ReadonlyMap<string, Option> = new Map([
  ['temperature', between(0, 2)],
  ['top_p', between(0, 1)],
  ['frequency_penalty', between(-2, 2)],
  ['presence_penalty', between(-2, 2)],
  ['seed', { type: 'integer' }],
  ['stop', { type: 'texts' }],
  ['top_k', whole(-1)],
  ['min_p', between(0, 1)],
  ['typical_p', between(0, 1)],
  ['repeat_penalty', between(-2, 100)],
  ['repeat_last_n', whole(-1)],
  ['num_keep', whole(-1)],
  ['num_predict', whole(-2)],
]);

/**
 * Of loading: another value makes the server load the model anew for everybody, so a request may set
 * those that the operator allowed for the model.
 */
const LOADING: ReadonlyMap<string, Option> = new Map([
  ['num_ctx', whole(1)],
  ['num_batch', whole(1)],
  ['num_gpu', whole(-1)],
  ['main_gpu', whole(0)],
  ['num_thread', whole(0)],
  ['draft_num_predict', whole(0)],
  ['use_mmap', BOOLEAN],
]);

/** Members of the request itself, also for the operator; all else goes into its `options`. */
const FIELDS: ReadonlyMap<string, Option> = new Map([
  ['keep_alive', { type: 'duration' }],
  ['truncate', BOOLEAN],
  ['shift', BOOLEAN],
]);

/** Another one's word for an option of Ollama. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['repetition_penalty', 'repeat_penalty'],
  ['n_keep', 'num_keep'],
]);

/** Of an option that Ollama may have and the gateway does not know. */
const UNKNOWN: Option = { type: 'scalar' };

export function isField(name: string): boolean {
  return FIELDS.has(name);
}

export function canonicalName(name: string): string {
  return SYNONYMS.get(name) ?? name;
}

/** What a request may set by this name; undefined when it may not. `hasSampling`: it generates text. */
export function optionOf(name: string, { requestOptions }: Target, hasSampling: boolean): Option | undefined {
  const sampling = hasSampling ? SAMPLING.get(name) : undefined;
  if (sampling || !requestOptions.includes(name)) return sampling;
  return LOADING.get(name) ?? FIELDS.get(name) ?? SAMPLING.get(name) ?? UNKNOWN;
}

/** Throws GatewayError (400), naming `param`, for a value that Ollama would answer with 500. */
export function checkOption(
  { type, min = -Infinity, max = Infinity }: Option,
  param: string,
  value: unknown,
): void {
  if (!isOfType(type, value)) {
    throw invalid(param, 'invalid_type', `Invalid type for '${param}': expected ${EXPECTED[type]}.`);
  }
  if (typeof value !== 'number' || (value >= min && value <= max)) return;
  const kind = type === 'number' ? 'decimal' : 'integer';
  const [side, bound] =
    value < min ? ['below minimum', `>= ${String(min)}`] : ['above maximum', `<= ${String(max)}`];
  throw invalid(
    param,
    `${kind}_${value < min ? 'below_min' : 'above_max'}_value`,
    `Invalid '${param}': ${kind} ${side} value. Expected a value ${bound}, but got ${String(value)} instead.`,
  );
}

const EXPECTED: Readonly<Record<Option['type'], string>> = {
  integer: 'an integer',
  number: 'a number',
  boolean: 'a boolean',
  duration: 'a number of seconds, or a duration like "5m" or "1h30m"',
  texts: 'a string or an array of strings',
  scalar: 'a number or a boolean',
};

/** As Go reads it: `300ms`, `1.5h`, `-1m`. */
const DURATION = /^-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;

function isOfType(type: Option['type'], value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'duration':
      return Number.isFinite(value) || (typeof value === 'string' && DURATION.test(value));
    case 'texts':
      return (
        typeof value === 'string' || (Array.isArray(value) && value.every((text) => typeof text === 'string'))
      );
    case 'scalar':
      return Number.isFinite(value) || typeof value === 'boolean';
  }
}

function invalid(param: string, code: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param, code });
}
