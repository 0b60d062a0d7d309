/** The fields of a text completion request that the gateway reads, with OpenAI's types and ranges. */

import * as z from 'zod';
import type { CompletionBody, Prompt } from '../../core/completion.ts';
import { listOf } from '../lists.ts';
import { between, integer, modelName } from '../scalars.ts';
import { checkTexts } from '../texts.ts';
import { DECIMAL } from '../validate.ts';

type Prompts = Prompt | readonly Prompt[] | null;

export const completionBody = z.looseObject({
  model: modelName,
  prompt: z.custom<Prompts>().superRefine((prompt, context) => {
    if (prompt !== null) checkTexts(prompt, context, 0);
  }),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  suffix: z.string().nullish(),
  echo: z.boolean().nullish(),
  n: integer.min(1).max(128).nullish(),
  best_of: integer.min(0).max(20).nullish(),
  logprobs: integer.min(0).max(5).nullish(),
  // None at all: who wants the probabilities of the prompt echoes it.
  max_tokens: integer.min(0).nullish(),
  temperature: between(0, 2),
  top_p: between(0, 1),
  frequency_penalty: between(-2, 2),
  presence_penalty: between(-2, 2),
  seed: integer.nullish(),
  stop: z.union([z.string(), listOf(z.string(), { max: 4 })]).nullish(),
  logit_bias: z.record(z.string(), z.number().min(-100, DECIMAL).max(100, DECIMAL)).nullish(),
  user: z.string().nullish(),
}) satisfies z.ZodType<CompletionBody>;
