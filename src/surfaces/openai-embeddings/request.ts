/** The body of POST /v1/embeddings → the canonical request. */

import type { EmbeddingInput, EmbeddingRequest } from '../../core/embedding.ts';
import { sliceMembers } from '../../wire/json-slice.ts';
import { parseBody, validate } from '../validate.ts';
import { embeddingBody } from './schema.ts';

/** Throws GatewayError (400). */
export function toEmbeddingRequest(json: string): EmbeddingRequest {
  const { model, input, encoding_format: encoding, dimensions } = validate(embeddingBody, parseBody(json));
  const members = sliceMembers(json);
  members.delete('input');
  return {
    model,
    inputs: toInputs(input),
    texts: undefined,
    encoding: encoding ?? 'float',
    dimensions: dimensions ?? undefined,
    members,
  };
}

/** An array of numbers is one input and not many. */
function toInputs(input: EmbeddingInput | readonly EmbeddingInput[]): readonly EmbeddingInput[] {
  return typeof input === 'string' || typeof input[0] === 'number'
    ? [input as EmbeddingInput]
    : (input as readonly EmbeddingInput[]);
}
