/** What the operator's requests say, checked. Nothing is passed on, so nothing unknown is taken. */

import * as z from 'zod';
import type { Rotation } from '../../core/operator.ts';
import type { KeepAlive } from '../../core/residency.ts';
import { USAGE_DIMENSIONS, type UsageDimension, type UsageQuery } from '../../core/usage.ts';
import { checkedBy, parseBody } from '../validate.ts';

const rule = (text: string): { params: { code: string; text: string } } => ({
  params: { code: 'invalid_value', text },
});

const name = z.string().min(1).max(256);
const day = z.string().refine(isDay, rule('expected a day such as 2026-08-21.'));
const dimensions = z
  .string()
  .transform((text) => text.split(',').filter((each) => each !== ''))
  .refine(areDimensions, rule(`expected a list of ${USAGE_DIMENSIONS.join(', ')}, separated by commas.`));

const usageQuery = z.strictObject({
  from: day.optional(),
  to: day.optional(),
  key: name.optional(),
  model: name.optional(),
  backend: name.optional(),
  groupBy: dimensions.optional(),
  format: z.enum(['json', 'csv']).optional(),
});

export interface UsageRequest {
  readonly query: UsageQuery;
  /** undefined: what the client likes best. */
  readonly format: 'json' | 'csv' | undefined;
}

/** `query`: the parameters of the URL. Throws GatewayError (400). */
export function readUsageQuery(query: Readonly<Record<string, unknown>>): UsageRequest {
  const { format, from, to, key, model, backend, groupBy } = checkedBy(usageQuery, query);
  return {
    format,
    query: {
      from,
      to,
      key,
      model,
      backend,
      groupBy: (groupBy as UsageDimension[] | undefined) ?? USAGE_DIMENSIONS,
    },
  };
}

/** Go's durations, as Ollama takes them. */
const DURATION = /^-?(\d{1,9}(\.\d{1,3})?(ms|s|m|h))+$/;
const MAX_SECONDS = 10 ** 9;

const keepAlive = z.union([
  z
    .number()
    .refine(Number.isInteger, { params: { expected: 'integer' } })
    .min(-1)
    .max(MAX_SECONDS),
  z
    .string()
    .max(64)
    .refine((text) => DURATION.test(text), rule('expected seconds, or a time such as 30m; -1 is for ever.')),
]);

const loadBody = z.strictObject({ backend: name.optional(), keepAlive: keepAlive.optional() });
const unloadBody = z.strictObject({ backend: name.optional() });
const pullBody = z.strictObject({ backend: name.optional(), insecure: z.boolean().default(false) });
const modelBody = z.strictObject({ model: z.string().trim().min(1) });

/** The body may be missing. All throw GatewayError (400). */
export function readLoad(json: string): {
  readonly backend: string | undefined;
  readonly keepAlive: KeepAlive;
} {
  const { backend, keepAlive: time } = checkedBy(loadBody, parseBody(json));
  return { backend, keepAlive: time };
}

export function readUnload(json: string): { readonly backend: string | undefined } {
  return { backend: checkedBy(unloadBody, parseBody(json)).backend };
}

export function readPull(json: string): {
  readonly backend: string | undefined;
  readonly isInsecure: boolean;
} {
  const { backend, insecure } = checkedBy(pullBody, parseBody(json));
  return { backend, isInsecure: insecure };
}

const MAX_GRACE_MS = 10 * 366 * 86_400_000;

const rotateBody = z.strictObject({
  graceMs: z
    .number()
    .refine(Number.isInteger, { params: { expected: 'integer' } })
    .min(0)
    .max(MAX_GRACE_MS)
    .default(0),
  expires: z.union([z.iso.date(), z.iso.datetime({ offset: true })]).optional(),
});

export function readRotation(json: string): Rotation {
  const { graceMs, expires } = checkedBy(rotateBody, parseBody(json));
  return { graceMs, expires };
}

/** A reader of bodies for a schema that is made elsewhere. */
export function readerOf<T>(schema: z.ZodType<T>): (json: string) => T {
  return (json) => checkedBy(schema, parseBody(json));
}

/** A chat, or `{ "model": … }` alone: undefined for a chat, which its own surface reads. */
export function readModelOnly(json: string): { readonly model: string } | undefined {
  const body = parseBody(json);
  return 'messages' in body ? undefined : checkedBy(modelBody, body);
}

function isDay(text: string): boolean {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  // 2026-02-31 would be a day in March.
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function areDimensions(names: readonly string[]): boolean {
  const known: readonly string[] = USAGE_DIMENSIONS;
  return names.every((each, i) => known.includes(each) && names.indexOf(each) === i);
}
