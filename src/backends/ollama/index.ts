/** The kind `ollama`: native /api/chat, never the OpenAI layer of the server. */

import type { ChatRequest } from '../../core/chat.ts';
import type { BackendKind, DecodeLimits } from '../../core/kind.ts';
import type { ChatSink, Decoder } from '../../core/stream.ts';
import { ollamaEmbedding } from './embed.ts';
import { asForcedCall, asWholeCalls } from './forced-call.ts';
import { ollamaCompletion } from './generate.ts';
import { adaptTarget, ollamaFailure } from './failure.ts';
import { checkChat, ignoredParams, toOllamaChat } from './request.ts';
import { ollamaResidency } from './residency.ts';
import { createOllamaDecoder } from './stream.ts';
import { planTools } from './tool-choice.ts';

export const ollama: BackendKind = {
  format: 'ollama',
  hasChoices: false,
  takesImageUrls: false,
  canContinue: true,
  ignoredParams,
  checkChat,
  chatRequest: toOllamaChat,
  adapt: adaptTarget,
  createDecoder: createChatDecoder,
  completion: ollamaCompletion,
  embedding: ollamaEmbedding,
  residency: ollamaResidency,
  failure: ollamaFailure,
};

/** `useFastPath: false` is for tests: both ways must say the same. */
export function createChatDecoder(
  sink: ChatSink,
  { body }: ChatRequest,
  limits: DecodeLimits,
  useFastPath = true,
): Decoder {
  const { forced, hasCustom } = planTools(body);
  if (forced.length === 0) return createOllamaDecoder(sink, limits, useFastPath);
  const caller = hasCustom ? asWholeCalls(sink, limits.maxRecordBytes) : sink;
  return createOllamaDecoder(asForcedCall(caller, forced), limits, useFastPath);
}
