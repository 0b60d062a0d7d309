/** Token ids → text, for backends that read text only. */

import { GatewayError } from '../core/errors.ts';
import type { DecodeTokens } from '../core/operation.ts';

/** Ids of cl100k_base: the ordinary ones, and the special ones behind them. */
const LAST_ORDINARY_TOKEN = 100_255;
const SPECIAL_TOKENS: ReadonlySet<number> = new Set([100_257, 100_258, 100_259, 100_260, 100_276]);

/**
 * Reads ids as cl100k_base, which is what clients that send tokens have counted with (LangChain's
 * embeddings among them). The table is loaded with the first request that needs it: it is a
 * megabyte and takes a fifth of a second.
 */
export function createTokenDecoder(): DecodeTokens {
  let table: Promise<{ decode(tokens: number[]): string }> | undefined;
  return async (tokens) => {
    const unknown = tokens.find((token) => token > LAST_ORDINARY_TOKEN && !SPECIAL_TOKENS.has(token));
    if (unknown !== undefined) {
      throw new GatewayError('invalid_request', {
        message: `The token ${String(unknown)} is not one of the encoding cl100k_base. Send text instead.`,
        code: 'invalid_value',
      });
    }
    table ??= load();
    return (await table).decode([...tokens]);
  };
}

async function load(): Promise<{ decode(tokens: number[]): string }> {
  const [{ Tiktoken }, { default: ranks }] = await Promise.all([
    import('js-tiktoken/lite'),
    import('js-tiktoken/ranks/cl100k_base'),
  ]);
  return new Tiktoken(ranks);
}
