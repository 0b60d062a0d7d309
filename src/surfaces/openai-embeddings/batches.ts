/** A large batch as several calls, which the whole fleet works on; told as one answer, in order. */

import type { EmbeddingRequest } from '../../core/embedding.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Operation, PartResult, Split } from '../../core/operation.ts';
import type { DecodeLimits } from '../../core/kind.ts';
import type { Usage } from '../../core/stream.ts';
import { printAnswer, printVectors, type Print } from './answer.ts';

/**
 * Inputs of one call. Enough to fill a batch of an accelerator, so that calls cost nothing; few
 * enough that the largest request keeps ten servers busy with three calls each, that a call which
 * fails repeats little, and that reading its answer holds up the others for some milliseconds only.
 */
export const MAX_PART_INPUTS = 64;

/** `callOf` makes the operation of one part. */
export function splitInputs(
  request: EmbeddingRequest,
  { maxResponseBytes }: DecodeLimits,
  callOf: (part: EmbeddingRequest, print: Print) => Operation,
): Split {
  const { model, inputs, encoding } = request;
  const widths = new Set<number>();
  let size = 0;

  function callFrom(start: number, end: number): Operation {
    return callOf(toPart(request, start, end), (answer, width) => {
      const items = printVectors(answer, encoding, start);
      widths.add(width);
      size += items.length;
      if (size > maxResponseBytes) throw tooLarge(maxResponseBytes);
      return items;
    });
  }

  return {
    parts: cut(inputs.length).map(([start, end]) => callFrom(start, end)),
    conclude(parts) {
      if (widths.size > 1) throw differentWidths();
      const usage = addUsages(parts);
      return { bytes: printAnswer(parts.map(({ body }) => body).join(','), model, usage), usage };
    },
  };
}

/** As even as can be: a short last part would leave one backend waiting for another. */
function cut(count: number): [start: number, end: number][] {
  const parts = Math.ceil(count / MAX_PART_INPUTS);
  const at = (part: number): number => Math.floor((part * count) / parts);
  return Array.from({ length: parts }, (_, part) => [at(part), at(part + 1)]);
}

function toPart(request: EmbeddingRequest, start: number, end: number): EmbeddingRequest {
  return {
    ...request,
    inputs: request.inputs.slice(start, end),
    texts: request.texts?.slice(start, end),
  };
}

function addUsages(parts: readonly PartResult[]): Usage | null {
  const usages = parts.flatMap(({ usage }) => usage ?? []);
  const [first] = usages;
  return first ? { ...first, prompt: usages.reduce((sum, { prompt }) => sum + prompt, 0) } : null;
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('invalid_request', {
    message: `The answer would be larger than ${String(maxBytes)} bytes, which is the limit of this gateway. Send fewer inputs at a time, or ask for encoding_format 'base64'.`,
    param: 'input',
  });
}

/** The same name, but not the same model: such vectors cannot be compared. */
function differentWidths(): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: 'The backends of this model sent embeddings of different lengths.',
  });
}
