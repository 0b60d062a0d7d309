/** The surface POST /v1/completions. */

import type { Surface } from '../../core/operation.ts';
import { errorBody, errorEvent } from '../errors.ts';
import { createCompletionOperation } from './operation.ts';
import { toCompletionRequest } from './request.ts';

export const openaiCompletions: Surface = {
  toOperation: (json, context) => createCompletionOperation(toCompletionRequest(json), context),
  errorBody,
  errorEvent,
};
