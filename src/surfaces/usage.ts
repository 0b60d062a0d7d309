/** Token counts as OpenAI writes them: every count there, none of them null. */

import type { CompletionUsage } from 'openai/resources';
import type { Usage } from '../core/stream.ts';

export function toUsageObject(usage: Usage): CompletionUsage {
  return {
    prompt_tokens: usage.prompt,
    completion_tokens: usage.completion,
    total_tokens: usage.prompt + usage.completion,
    prompt_tokens_details: { cached_tokens: usage.cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
