/** The surface POST /v1/embeddings. */

import type { Surface } from '../../core/operation.ts';
import { errorBody, errorEvent } from '../errors.ts';
import { createEmbeddingOperation } from './operation.ts';
import { toEmbeddingRequest } from './request.ts';

export const openaiEmbeddings: Surface = {
  toOperation: (json, context) => createEmbeddingOperation(toEmbeddingRequest(json), context.limits),
  errorBody,
  errorEvent,
};
