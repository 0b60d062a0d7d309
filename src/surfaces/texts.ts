/** Texts that a model reads, which clients may also send as tokens: a field of several request bodies. */

import type * as z from 'zod';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { DecodeTokens } from '../core/operation.ts';

/** Of OpenAI; a text that is an array of tokens may be longer. */
const MAX_INPUTS = 2048;

type Context = z.core.$RefinementCtx;
type Path = number[];

/**
 * A text or a list of them, or the tokens of one or of several; `minLength`: of each text. By hand:
 * a batch of tokens has millions of numbers, and a union would look at each of them, and complain of
 * it, once an alternative.
 */
export function checkTexts(input: unknown, context: Context, minLength: 0 | 1): void {
  const isText = (item: unknown, path: Path, expected = 'string'): boolean => {
    if (typeof item !== 'string') return refuseType(expected, item, path, context);
    return item.length >= minLength || refuseEmpty('string', item, path, context);
  };
  if (!Array.isArray(input)) {
    isText(input, [], 'string or array');
    return;
  }
  const [first] = input as unknown[];
  if (input.length === 0) refuseEmpty('array', input, [], context);
  else if (typeof first === 'number') checkTokens(input, [], context);
  else if (input.length > MAX_INPUTS) refuseTooMany(input, context);
  else if (Array.isArray(first)) everyItem(input, (item, path) => checkTokens(item, path, context));
  else everyItem(input, (item, path) => isText(item, path));
}

/** Stops at the first that is not fine; all of these checks return whether it is. */
function everyItem(items: readonly unknown[], isFine: (item: unknown, path: Path) => boolean): void {
  items.every((item, i) => isFine(item, [i]));
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

type Text = string | readonly number[];

/** `param`: the field, for messages. Rejects with GatewayError (400) for tokens that say nothing. */
export async function decodeTexts(
  inputs: readonly Text[],
  param: string,
  decodeTokens: DecodeTokens,
): Promise<string[]> {
  const texts: string[] = [];
  for (const input of inputs) texts.push(await textOf(input, param, decodeTokens));
  return texts;
}

/** The decoder does not know which field it reads. */
async function textOf(input: Text, param: string, decodeTokens: DecodeTokens): Promise<string> {
  if (typeof input === 'string') return input;
  try {
    return await decodeTokens(input);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.reason !== 'invalid_request') throw error;
    throw new GatewayError('invalid_request', {
      message: error.message,
      param,
      ...(error.code !== null && { code: error.code }),
      cause: error,
    });
  }
}

/** An array of numbers is one text and not many. */
export function toTexts(input: Text | readonly Text[]): readonly Text[] {
  return typeof input === 'string' || typeof input[0] === 'number'
    ? [input as Text]
    : (input as readonly Text[]);
}
