/** The surface POST /v1/chat/completions. */

import type { Surface } from '../../core/operation.ts';
import { errorBody, errorEvent } from '../errors.ts';
import { createChatOperation } from './operation.ts';
import { toChatRequest } from './request.ts';

export const openaiChat: Surface = {
  toOperation: (json, context) => createChatOperation(toChatRequest(json), context),
  errorBody,
  errorEvent,
};
