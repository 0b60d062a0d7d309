/** The fields of a text completion request that the gateway reads, with OpenAI's types and ranges. */

import * as z from 'zod';
import type { CompletionBody, Prompt } from '../../core/completion.ts';
import { checkTexts } from '../texts.ts';
import { DECIMAL } from '../validate.ts';

const integer = z.number().refine(Number.isInteger, { params: { expected: 'integer' } });
const between = (low: number, high: number) => z.number().min(low, DECIMAL).max(high, DECIMAL).nullish();

type Prompts = Prompt | readonly Prompt[];

export const completionBody = z.looseObject({
  model: z.string().trim().min(1),
  prompt: z.custom<Prompts>().superRefine((prompt, context) => checkTexts(prompt, context, 0)),
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
  seed: z.union([integer, z.bigint()]).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  logit_bias: z.record(z.string(), z.number().min(-100, DECIMAL).max(100, DECIMAL)).nullish(),
  user: z.string().nullish(),
}) satisfies z.ZodType<CompletionBody>;
