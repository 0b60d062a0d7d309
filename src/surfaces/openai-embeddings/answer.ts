/** Vectors of a backend → OpenAI's answer. Printed as text: most of it is passed on as it came. */

import type { CreateEmbeddingResponse } from 'openai/resources';
import type { EmbeddingAnswer, EmbeddingRequest, Vector, VectorEncoding } from '../../core/embedding.ts';
import { GatewayError } from '../../core/errors.ts';
import type { ByteText, Usage } from '../../core/stream.ts';
import { fromBase64, toBase64 } from '../../wire/float32.ts';
import { encodeUtf8 } from '../../wire/utf8.ts';

/** Prints the answer to one call. `width`: the numbers of each vector. */
export type Print = (answer: EmbeddingAnswer, width: number) => ByteText;

/**
 * The numbers of each vector. Throws GatewayError when there is not one vector of that width for
 * each input, or when the width is not the one that the request asked for.
 */
export function checkVectors({ vectors }: EmbeddingAnswer, { inputs, dimensions }: EmbeddingRequest): number {
  const width = vectors[0]?.width ?? 0;
  if (vectors.length !== inputs.length || vectors.some((vector) => vector?.width !== width)) {
    throw new GatewayError('upstream_invalid_response', {
      message: `The upstream server did not send ${String(inputs.length)} embeddings of one length, as many as there are inputs.`,
    });
  }
  if (dimensions !== undefined && dimensions !== width) {
    throw new GatewayError('invalid_request', {
      message: `Invalid 'dimensions': this model's embeddings have ${String(width)} numbers, and it cannot make them have ${String(dimensions)}. Leave it out, or choose another model.`,
      param: 'dimensions',
      code: 'invalid_value',
    });
  }
  return width;
}

/** The items of `data`, without the brackets around them; the first has the index `offset`. */
export function printVectors(
  { vectors }: EmbeddingAnswer,
  encoding: VectorEncoding,
  offset: number,
): ByteText {
  return vectors
    .flatMap((vector, i) =>
      vector
        ? `{"object":"embedding","index":${String(offset + i)},"embedding":${toLiteral(vector, encoding)}}`
        : [],
    )
    .join(',') as ByteText;
}

/** `items`: from printVectors. */
export function printAnswer(items: string, model: string, usage: Usage | null): ByteText {
  const tokens = usage?.prompt ?? 0;
  const rest = {
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  } satisfies Omit<CreateEmbeddingResponse, 'object' | 'data'>;
  return `{"object":"list","data":[${items}],${encodeUtf8(JSON.stringify(rest)).slice(1)}` as ByteText;
}

function toLiteral({ text, encoding }: Vector, wanted: VectorEncoding): string {
  if (encoding === wanted) return text;
  const value = JSON.parse(text) as number[] | string;
  if (typeof value === 'string') return JSON.stringify(Array.from(fromBase64(value) ?? []));
  if (value.every((number) => Number.isFinite(Math.fround(number)))) return `"${toBase64(value)}"`;
  throw new GatewayError('upstream_invalid_response', {
    message: 'The upstream server sent an embedding with a number that no float32 can hold.',
  });
}
