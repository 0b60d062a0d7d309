/** The kind `ollama`: native /api/chat, never the OpenAI layer of the server. */

import type { BackendKind } from '../../core/ports.ts';
import { asForcedCall, forcedFunction } from './forced-call.ts';
import { ollamaFailure } from './failure.ts';
import { toOllamaChat } from './request.ts';
import { createOllamaDecoder } from './stream.ts';

export const ollama: BackendKind = {
  format: 'ollama',
  chatRequest: toOllamaChat,
  createDecoder(sink, { body }, limits) {
    const name = forcedFunction(body.tool_choice);
    return createOllamaDecoder(name === undefined ? sink : asForcedCall(sink, name), limits);
  },
  failure: ollamaFailure,
};
