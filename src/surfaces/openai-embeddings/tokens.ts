/** Inputs that are arrays of tokens, for backends that read text. */

import type { EmbeddingInput, EmbeddingRequest } from '../../core/embedding.ts';
import { GatewayError, toGatewayError } from '../../core/errors.ts';
import type { DecodeTokens } from '../../core/operation.ts';

export function hasTokens({ inputs }: EmbeddingRequest): boolean {
  return inputs.some((input) => typeof input !== 'string');
}

/** Rejects with GatewayError (400) for tokens that say nothing. */
export async function decodeInputs(
  request: EmbeddingRequest,
  decodeTokens: DecodeTokens,
): Promise<EmbeddingRequest> {
  const texts: string[] = [];
  for (const input of request.inputs) texts.push(await textOf(input, decodeTokens));
  return { ...request, texts };
}

/** The decoder does not know which field it reads. */
async function textOf(input: EmbeddingInput, decodeTokens: DecodeTokens): Promise<string> {
  if (typeof input === 'string') return input;
  try {
    return await decodeTokens(input);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.reason !== 'invalid_request') throw error;
    throw new GatewayError('invalid_request', {
      message: error.message,
      param: 'input',
      ...(error.code !== null && { code: error.code }),
      cause: error,
    });
  }
}
