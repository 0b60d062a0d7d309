/** The fields of an embedding request that the gateway reads, with OpenAI's types and ranges. */

import * as z from 'zod';
import type { EmbeddingInput } from '../../core/embedding.ts';
import { integer, modelName } from '../scalars.ts';
import { checkTexts } from '../texts.ts';

type Input = EmbeddingInput | readonly EmbeddingInput[];

export const embeddingBody = z.looseObject({
  model: modelName,
  input: z.custom<Input>().superRefine((input, context) => checkTexts(input, context, 1)),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: integer.min(1).nullish(),
  user: z.string().nullish(),
});
