/** The body of POST /v1/embeddings → the canonical request. */

import type { EmbeddingRequest } from '../../core/embedding.ts';
import { sliceMembers } from '../../wire/json-slice.ts';
import { toTexts } from '../texts.ts';
import { parseBody, validate } from '../validate.ts';
import { embeddingBody } from './schema.ts';

/** Throws GatewayError (400). */
export function toEmbeddingRequest(json: string): EmbeddingRequest {
  const { model, input, encoding_format: encoding, dimensions } = validate(embeddingBody, parseBody(json));
  const members = sliceMembers(json);
  members.delete('input');
  return {
    model,
    inputs: toTexts(input),
    texts: undefined,
    encoding: encoding ?? 'float',
    dimensions: dimensions ?? undefined,
    members,
  };
}
