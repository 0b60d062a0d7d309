/** What traces tell of a text completion: its parameters, and its texts where the operator wants them. */

import type { CompletionRequest } from '../../core/completion.ts';
import type { RequestTraits } from '../../core/tracing.ts';
import { cutText, lastThatFit, toldMessages } from '../trace-messages.ts';

export function completionTraits({ body, prompts, texts }: CompletionRequest): RequestTraits {
  return {
    operation: 'text_completion',
    outputType: 'text',
    choices: body.n,
    maxTokens: body.max_tokens,
    temperature: body.temperature,
    topP: body.top_p,
    frequencyPenalty: body.frequency_penalty,
    presencePenalty: body.presence_penalty,
    seed: body.seed,
    content: {
      asked: () =>
        lastThatFit(
          (texts ?? prompts).map((prompt) => ({
            role: 'user',
            parts: [
              typeof prompt === 'string' ? { type: 'text', content: cutText(prompt) } : { type: 'tokens' },
            ],
          })),
        ),
      told: toldMessages,
    },
  };
}
