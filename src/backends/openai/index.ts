/** The kinds that speak OpenAI's own format, by what they accept. */

import type { BackendKind } from '../../core/kind.ts';
import { createCompletionMethods, type CompletionDialect } from './completions.ts';
import { createEmbeddingMethods, type EmbeddingDialect } from './embeddings.ts';
import { openaiFailure } from './failure.ts';
import { createPassthrough } from './passthrough.ts';
import { ignoredParams, toChatCompletion, type Dialect } from './request.ts';

const FULL_COMPLETIONS: CompletionDialect = { takesTokens: true, isFull: true };
const FULL_EMBEDDINGS: EmbeddingDialect = { takesTokens: true, hasBase64: true };

function createKind(
  dialect: Dialect,
  completion = FULL_COMPLETIONS,
  embedding = FULL_EMBEDDINGS,
): BackendKind {
  return {
    format: 'openai-chat',
    hasChoices: dialect.hasChoices,
    takesImageUrls: true,
    canContinue: dialect.canContinue,
    ignoredParams: (request, target) => ignoredParams(request, target, dialect),
    chatRequest: (request, target) => toChatCompletion(request, target, dialect),
    createPassthrough,
    completion: createCompletionMethods(completion),
    embedding: createEmbeddingMethods(embedding),
    failure: openaiFailure,
  };
}

export const openai = createKind({
  developerAsSystem: false,
  maxTokensOnly: false,
  hasChoices: true,
  canContinue: false,
});
export const vllm = createKind({
  developerAsSystem: true,
  maxTokensOnly: false,
  hasChoices: true,
  canContinue: true,
});
export const llamacpp = createKind(
  { developerAsSystem: true, maxTokensOnly: false, hasChoices: false, canContinue: false },
  { takesTokens: true, isFull: false },
);
export const lmstudio = createKind(
  { developerAsSystem: true, maxTokensOnly: true, hasChoices: false, canContinue: false },
  { takesTokens: false, isFull: false },
  { takesTokens: false, hasBase64: false },
);
