/** Embeddings of OpenAI-compatible servers: the client's own request, and vectors as they came. */

import type { EmbeddingAnswer, EmbeddingMethods, EmbeddingRequest, Vector } from '../../core/embedding.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { modelOf, type ByteText } from '../../core/stream.ts';
import { fromBase64 } from '../../wire/float32.ts';
import { printMembers } from '../../wire/json-slice.ts';
import { arrayAt, cutNumberArrays, type Outline } from '../../wire/number-arrays.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { spokenFailure } from './failure.ts';
import { toUsage } from './normalise.ts';
import { overruledParams } from './overruled.ts';

/** How compatible servers differ from OpenAI in what they accept. */
export interface EmbeddingDialect {
  /** Arrays of tokens as inputs. */
  readonly takesTokens: boolean;
  /** `encoding_format: base64`. */
  readonly hasBase64: boolean;
}

export function createEmbeddingMethods(dialect: EmbeddingDialect): EmbeddingMethods {
  return {
    takesTokens: dialect.takesTokens,
    // All others are passed on; what the server makes of them is its own.
    ignoredParams: ({ members }, target) =>
      overruledParams(target, (name) => parseJson(members.get(name) ?? 'null')),
    toRequest: (request, target) => toRequest(request, target, dialect),
    readAnswer,
  };
}

/** Asked for in the client's own encoding, so that vectors pass as text; without it, in numbers. */
function toRequest(
  { inputs, texts, members }: EmbeddingRequest,
  target: Target,
  { takesTokens, hasBase64 }: EmbeddingDialect,
): UpstreamRequest {
  const own = new Map(members);
  own.set('model', JSON.stringify(target.upstreamModel));
  own.set('input', JSON.stringify(takesTokens ? inputs : (texts ?? inputs)));
  if (!hasBase64) own.delete('encoding_format');
  for (const [name, value] of Object.entries(target.options)) own.set(name, JSON.stringify(value));
  return { method: 'POST', path: '/embeddings', body: printMembers(own) };
}

/** Of the two encodings either is taken, whichever was asked for. */
function readAnswer(body: ByteText): EmbeddingAnswer {
  const outline = cutNumberArrays(body);
  const answer = parseJson(decodeUtf8(outline.json));
  if (!isJsonObject(answer)) {
    throw new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent an invalid response.',
    });
  }
  const failure = spokenFailure(answer, 'input');
  if (failure) throw failure;
  return {
    vectors: toVectors(Array.isArray(answer.data) ? answer.data : [], outline),
    usage: isJsonObject(answer.usage) ? toUsage(answer.usage) : null,
    model: modelOf(answer),
  };
}

/** By their `index`, or by position where a server gives none. */
function toVectors(data: readonly unknown[], outline: Outline): (Vector | undefined)[] {
  const vectors = Array.from({ length: data.length }, (): Vector | undefined => undefined);
  data.forEach((entry, position) => {
    if (!isJsonObject(entry)) return;
    const index = entry.index ?? position;
    // An index beyond the end or one that came twice leaves another place empty.
    if (typeof index === 'number' && index in vectors) vectors[index] = toVector(entry.embedding, outline);
  });
  return vectors;
}

function toVector(embedding: unknown, outline: Outline): Vector | undefined {
  if (typeof embedding !== 'string') {
    const array = arrayAt(embedding, outline);
    return array && { encoding: 'float', text: array.text, width: array.length };
  }
  const numbers = fromBase64(embedding);
  if (!numbers || numbers.length === 0 || !numbers.every(Number.isFinite)) return undefined;
  return { encoding: 'base64', text: `"${embedding}"` as ByteText, width: numbers.length };
}
