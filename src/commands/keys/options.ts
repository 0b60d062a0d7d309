/** What was typed → what is meant, or a word about what to type. */

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { KEY_NAME, KEY_NAME_RULE, type FileKey } from '../../config/schema/auth.ts';
import { isJsonObject } from '../../core/json.ts';
import { timeOf } from './edits.ts';
import { misused } from './failure.ts';

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;

const COMMON = { file: text, json: flag, help: { type: 'boolean', short: 'h' } } as const;
const LIMITS = {
  rpm: 'requestsPerMinute',
  tpm: 'tokensPerMinute',
  concurrency: 'concurrency',
  'tokens-per-day': 'tokensPerDay',
  'tokens-per-month': 'tokensPerMonth',
} as const;

const OPTIONS = {
  create: {
    ...COMMON,
    name: text,
    models: texts,
    rpm: text,
    tpm: text,
    concurrency: text,
    'tokens-per-day': text,
    'tokens-per-month': text,
    priority: text,
    expires: text,
    admin: flag,
    meta: texts,
  },
  list: COMMON,
  revoke: COMMON,
  rotate: { ...COMMON, grace: text, expires: text },
} as const satisfies Record<string, ParseArgsConfig['options']>;

export type Subcommand = keyof typeof OPTIONS;

export function isSubcommand(word: string | undefined): word is Subcommand {
  return word !== undefined && Object.hasOwn(OPTIONS, word);
}

/** All options of all commands; those that a command does not have are undefined. */
export interface Options {
  readonly file?: string;
  readonly json?: boolean;
  readonly help?: boolean;
  readonly name?: string;
  readonly models?: readonly string[];
  readonly expires?: string;
  readonly admin?: boolean;
  readonly meta?: readonly string[];
  readonly priority?: string;
  readonly grace?: string;
}

export interface Line {
  readonly options: Options & Readonly<Partial<Record<keyof typeof LIMITS, string>>>;
  readonly words: readonly string[];
}

/** Throws CommandFailure. */
export function readLine(command: Subcommand, args: readonly string[]): Line {
  try {
    const { values, positionals } = parseArgs({
      args: withNegatives(args),
      options: OPTIONS[command],
      allowPositionals: true,
    });
    return { options: values as Line['options'], words: positionals };
  } catch (error) {
    if (!isJsonObject(error) || !String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
    // The rest is advice about `--`.
    throw misused(`${String(error.message).split('. ', 1)[0] ?? ''}.`);
  }
}

/** `--priority -5` is as good as `--priority=-5`: parseArgs takes a dash for the next option. */
function withNegatives(args: readonly string[]): string[] {
  return args.reduce<string[]>((joined, arg) => {
    const last = joined.at(-1);
    const isValue = /^-\d+$/.test(arg) && last?.startsWith('--') === true && !last.includes('=');
    return isValue ? [...joined.slice(0, -1), `${last}=${arg}`] : [...joined, arg];
  }, []);
}

/** Throws CommandFailure. */
export function readTerms(options: Line['options'], nowMs: number): Partial<FileKey> & { name: string } {
  const { name, models, priority, expires, admin, meta } = options;
  if (name === undefined) throw misused('--name is missing: whose key is it?');
  if (!KEY_NAME.test(name)) throw misused(`--name: ${KEY_NAME_RULE}`);
  const limits = Object.entries(LIMITS).flatMap(([option, member]) => {
    const value = options[option as keyof typeof LIMITS];
    return value === undefined ? [] : [[member, readWhole(`--${option}`, value, 0, Number.MAX_SAFE_INTEGER)]];
  });
  return {
    name,
    ...(models && { models: readModels(models) }),
    ...(limits.length > 0 && { limits: Object.fromEntries(limits) as NonNullable<FileKey['limits']> }),
    ...(priority !== undefined && { priority: readWhole('--priority', priority, -100, 100) }),
    ...(expires !== undefined && { expires: readExpiry(expires, nowMs) }),
    ...(admin === true && { admin }),
    ...(meta && { metadata: readMetadata(meta) }),
  };
}

/** A date or a time, or how long from now: `90d`. Throws CommandFailure. */
export function readExpiry(value: string, nowMs: number): string {
  const isDate = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value);
  const ms = isDate ? Date.parse(value) : nowMs + readDuration('--expires', value);
  // February 31 is a day in March to some.
  const isReal = !Number.isNaN(ms) && (!isDate || isDay(value.slice(0, 10)));
  if (!isReal) throw misused(`--expires: there is no such day as '${value}'.`);
  if (ms <= nowMs) throw misused(`--expires: '${value}' is over already.`);
  return timeOf(ms);
}

function isDay(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && timeOf(ms).startsWith(date);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TEN_YEARS_DAYS = 3653;

/** Milliseconds. Throws CommandFailure. */
export function readDuration(option: string, value: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(value) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] ?? NaN);
  if (ms > 0 && ms <= TEN_YEARS_DAYS * 86_400_000) return ms;
  const forms = option === '--expires' ? '2027-01-31, 2027-01-31T12:00:00Z or 90d' : '30m, 1h or 7d';
  throw misused(`${option}: '${value}' is not understood. Write it as ${forms}.`);
}

function readWhole(option: string, value: string, low: number, high: number): number {
  const number = /^-?\d{1,16}$/.test(value) ? Number(value) : NaN;
  if (number >= low && number <= high) return number;
  throw misused(`${option}: expected a whole number from ${String(low)} to ${String(high)}, got '${value}'.`);
}

function readModels(given: readonly string[]): string[] {
  const models = given.flatMap((list) => list.split(',')).map((model) => model.trim());
  if (models.every((model) => model !== '' && model.length <= 256)) return models;
  throw misused("--models: expected names or patterns with commas between them, such as 'llama3.2,qwen*'.");
}

function readMetadata(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair): [string, string] => {
    const [, key = '', value = ''] = /^([^=]{1,64})=(.{0,512})$/su.exec(pair) ?? [];
    if (key === '') throw misused(`--meta: expected key=value, got '${pair}'.`);
    return [key, value];
  });
  if (entries.length > 16) throw misused('--meta: 16 pairs at most.');
  return Object.fromEntries(entries);
}
