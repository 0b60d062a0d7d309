/** The fields of an embedding request that the gateway reads, with OpenAI's types and ranges. */

import * as z from 'zod';
import type { EmbeddingInput } from '../../core/embedding.ts';

/** Of OpenAI; a text that is an array of tokens may be longer. */
const MAX_INPUTS = 2048;

type Input = EmbeddingInput | readonly EmbeddingInput[];

const atLeastOne = z
  .number()
  .refine(Number.isInteger, { params: { expected: 'integer' } })
  .min(1);

export const embeddingBody = z.looseObject({
  model: z.string().trim().min(1),
  input: z.custom<Input>().superRefine(checkInput),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: atLeastOne.nullish(),
  user: z.string().nullish(),
});

type Context = z.core.$RefinementCtx;
type Path = number[];

/**
 * By hand: a batch of tokens has millions of numbers, and a union would look at each of them once
 * an alternative.
 */
function checkInput(input: unknown, context: Context): void {
  if (!Array.isArray(input)) {
    checkText(input, [], context, 'string or array');
    return;
  }
  const [first] = input as unknown[];
  if (input.length === 0) refuseEmpty('array', input, [], context);
  else if (typeof first === 'number') checkTokens(input, [], context);
  else if (input.length > MAX_INPUTS) refuseTooMany(input, context);
  else if (Array.isArray(first)) everyItem(input, (item, path) => checkTokens(item, path, context));
  else everyItem(input, (item, path) => checkText(item, path, context));
}

/** Stops at the first that is not fine; all of these checks return whether it is. */
function everyItem(items: readonly unknown[], isFine: (item: unknown, path: Path) => boolean): void {
  items.every((item, i) => isFine(item, [i]));
}

function checkText(input: unknown, path: Path, context: Context, expected = 'string'): boolean {
  if (typeof input !== 'string') return refuseType(expected, input, path, context);
  return input !== '' || refuseEmpty('string', input, path, context);
}

function checkTokens(input: unknown, path: Path, context: Context): boolean {
  if (!Array.isArray(input)) return refuseType('array', input, path, context);
  if (input.length === 0) return refuseEmpty('array', input, path, context);
  const at = input.findIndex((token) => !Number.isInteger(token) || token < 0);
  if (at < 0) return true;
  const token = input[at] as unknown;
  if (!Number.isInteger(token)) return refuseType('integer', token, [...path, at], context);
  context.addIssue({ code: 'too_small', origin: 'int', minimum: 0, input: token, path: [...path, at] });
  return false;
}

function refuseType(expected: string, input: unknown, path: Path, context: Context): boolean {
  context.addIssue({ code: 'custom', params: { expected }, input, path });
  return false;
}

function refuseEmpty(origin: 'array' | 'string', input: unknown, path: Path, context: Context): boolean {
  context.addIssue({ code: 'too_small', origin, minimum: 1, input, path });
  return false;
}

function refuseTooMany(input: unknown, context: Context): void {
  context.addIssue({ code: 'too_big', origin: 'array', maximum: MAX_INPUTS, input, path: [] });
}
