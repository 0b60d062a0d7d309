/** Single values that the schemas of several request bodies have. */

import * as z from 'zod';
import { DECIMAL, INTEGER } from './validate.ts';

/** Not z.int(), which refuses what a 64-bit seed may be. */
export const integer = z.number(INTEGER).refine(Number.isInteger, { params: { expected: INTEGER } });

export const between = (low: number, high: number) =>
  z.number().min(low, DECIMAL).max(high, DECIMAL).nullish();

/** What no name of a model holds, and what would be told back in every chunk. */
const CONTROL_CHARACTER = /\p{Cc}/u;
const HAS_CONTROL = 'string holds a control character.';

export const modelName = z
  .string()
  .trim()
  .min(1)
  .refine((name) => !CONTROL_CHARACTER.test(name), { params: { code: 'invalid_value', text: HAS_CONTROL } });
