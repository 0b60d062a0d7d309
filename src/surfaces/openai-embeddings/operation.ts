/** An embedding request → the operation that the data path carries out. */

import { createCollector } from '../../core/collect.ts';
import type { EmbeddingRequest } from '../../core/embedding.ts';
import type { Operation } from '../../core/operation.ts';
import type { DecodeLimits } from '../../core/kind.ts';
import { decodeTexts } from '../texts.ts';
import { charactersOf, estimateTokens } from '../estimate.ts';
import { checkVectors, printAnswer, printVectors, type Print } from './answer.ts';
import { MAX_PART_INPUTS, splitInputs } from './batches.ts';

const HINT = 'Send fewer inputs at a time.';

export function createEmbeddingOperation(request: EmbeddingRequest, limits: DecodeLimits): Operation {
  const { model, inputs, encoding } = request;
  return {
    ...toCall(request, limits, (answer) =>
      printAnswer(printVectors(answer, encoding, 0), model, answer.usage),
    ),
    ...(inputs.some((input) => typeof input !== 'string') && {
      prepare: async (kinds, { decodeTokens }) =>
        createEmbeddingOperation(
          kinds.every(({ embedding }) => embedding.takesTokens)
            ? request
            : { ...request, texts: await decodeTexts(inputs, 'input', decodeTokens) },
          limits,
        ),
    }),
    ...(inputs.length > MAX_PART_INPUTS && {
      split: () => splitInputs(request, limits, (part, print) => toCall(part, limits, print)),
    }),
  };
}

/** One call to a backend. */
function toCall(request: EmbeddingRequest, limits: DecodeLimits, print: Print): Operation {
  return {
    model: request.model,
    isStream: false,
    wantsVectors: true,
    promptParam: 'input',
    estimateTokens: () => estimateTokens(charactersOf(request.inputs), 0, 0, 0),
    traits: () => ({
      operation: 'embeddings',
      dimensions: request.dimensions,
      encodingFormat: request.encoding,
    }),
    ignoredParams: ({ embedding }, target) => embedding.ignoredParams(request, target),
    upstreamRequest: ({ embedding }, target) => embedding.toRequest(request, target),
    createConverter: ({ embedding }) =>
      createCollector(limits, HINT, (body) => {
        const answer = embedding.readAnswer(body, request);
        const { usage, model } = answer;
        return { bytes: print(answer, checkVectors(answer, request)), usage, model };
      }),
  };
}
