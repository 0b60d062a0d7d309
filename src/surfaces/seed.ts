/** A seed has 64 bits; JSON.parse keeps 53 of them. */

import { GatewayError } from '../core/errors.ts';
import { sliceJson } from '../wire/json-slice.ts';

type Seed = number | bigint | null | undefined;

const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 63n - 1n;

/** The body with its seed as `json` has it. Throws GatewayError (400) for one of more than 64 bits. */
export function withExactSeed<T extends { readonly seed?: Seed }>(body: T, json: string): T {
  if (typeof body.seed !== 'number' || Number.isSafeInteger(body.seed)) return body;
  const text = sliceJson(json, ['seed']) ?? '';
  // A number with an exponent has no digits to lose.
  const seed = /^-?\d+$/.test(text) ? BigInt(text) : BigInt(body.seed);
  if (seed < LEAST) throw outOfRange('below minimum', '>=', LEAST, text);
  if (seed > GREATEST) throw outOfRange('above maximum', '<=', GREATEST, text);
  return { ...body, seed };
}

function outOfRange(
  side: 'below minimum' | 'above maximum',
  relation: string,
  limit: bigint,
  text: string,
): GatewayError {
  return new GatewayError('invalid_request', {
    message: `Invalid 'seed': integer ${side} value. Expected a value ${relation} ${String(limit)}, but got ${text.slice(0, 40)} instead.`,
    param: 'seed',
    code: side === 'below minimum' ? 'integer_below_min_value' : 'integer_above_max_value',
  });
}
