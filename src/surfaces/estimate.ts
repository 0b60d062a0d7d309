/** How many tokens a request is going to take, before anybody has counted them. */

import type { TokenEstimate } from '../core/client.ts';

/** Of common tokenizers on English text and code; other languages take more, long words fewer. */
const CHARACTERS_PER_TOKEN = 4;
/** An image or a sound takes some hundreds to some thousands, whatever its bytes are. */
const TOKENS_PER_MEDIUM = 1000;
/** Of an answer whose length the request does not bound. */
const ASSUMED_ANSWER_TOKENS = 256;

/** `maxAnswerTokens`: what the request allows for one answer, if it says. */
export function estimateTokens(
  characters: number,
  media: number,
  answers: number,
  maxAnswerTokens: number | null | undefined,
): TokenEstimate {
  return {
    prompt: Math.ceil(characters / CHARACTERS_PER_TOKEN) + media * TOKENS_PER_MEDIUM,
    answer: answers * (maxAnswerTokens ?? ASSUMED_ANSWER_TOKENS),
  };
}

/** Of texts, and of tokens as if they were texts. */
export function charactersOf(prompts: readonly (string | readonly number[])[]): number {
  return prompts.reduce(
    (sum, prompt) => sum + prompt.length * (typeof prompt === 'string' ? 1 : CHARACTERS_PER_TOKEN),
    0,
  );
}
