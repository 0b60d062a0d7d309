/** The fields of an embedding request that the gateway reads, with OpenAI's types and ranges. */

import * as z from 'zod';
import type { EmbeddingInput } from '../../core/embedding.ts';
import { checkTexts } from '../texts.ts';

type Input = EmbeddingInput | readonly EmbeddingInput[];

const atLeastOne = z
  .number()
  .refine(Number.isInteger, { params: { expected: 'integer' } })
  .min(1);

export const embeddingBody = z.looseObject({
  model: z.string().trim().min(1),
  input: z.custom<Input>().superRefine((input, context) => checkTexts(input, context, 1)),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: atLeastOne.nullish(),
  user: z.string().nullish(),
});
