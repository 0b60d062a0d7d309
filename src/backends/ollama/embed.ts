/** Embeddings by Ollama's native POST /api/embed. */

import type { EmbedRequest, EmbedResponse } from 'ollama';
import type { EmbeddingAnswer, EmbeddingMethods, EmbeddingRequest } from '../../core/embedding.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import type { ByteText, Usage } from '../../core/stream.ts';
import { arrayAt, cutNumberArrays } from '../../wire/number-arrays.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { splitFixed } from './request.ts';

export const ollamaEmbedding: EmbeddingMethods = { takesTokens: false, ignoredParams, toRequest, readAnswer };

const HEEDED = new Set(['model', 'encoding_format', 'dimensions']);

function ignoredParams({ members }: EmbeddingRequest, { requestOptions }: Target): readonly string[] {
  const isIgnored = (name: string): boolean => !requestOptions.includes(name);
  return Array.from(members).flatMap(([name, json]) => {
    if (json === 'null' || HEEDED.has(name)) return [];
    const options = name === 'options' ? parseJson(json) : undefined;
    if (!isJsonObject(options)) return isIgnored(name) ? [name] : [];
    return Object.keys(options)
      .filter(isIgnored)
      .map((option) => `options.${option}`);
  });
}

/**
 * `truncate: false`: an input that does not fit is an error, not a vector of its beginning. Throws
 * GatewayError (400) for a model that is known to make no vectors.
 */
function toRequest(request: EmbeddingRequest, target: Target): UpstreamRequest {
  const { model, inputs, texts, dimensions } = request;
  const capabilities = target.model?.capabilities;
  if (capabilities && !capabilities.includes('embedding')) {
    throw new GatewayError('unsupported_parameter', {
      message: `The model \`${model}\` does not support embeddings. Choose an embedding model.`,
      param: 'model',
    });
  }
  const fixed = splitFixed(target.options);
  const options = { ...allowedOptions(request, target), ...fixed.options };
  const body = {
    model: target.upstreamModel,
    input: texts ? [...texts] : inputs.map(String),
    truncate: false,
    ...(dimensions !== undefined && { dimensions }),
    ...(Object.keys(options).length > 0 && { options }),
    ...fixed.fields,
  } satisfies EmbedRequest & JsonObject;
  return { method: 'POST', path: '/api/embed', body: JSON.stringify(body) };
}

/** Options of the request that the operator allowed for the model, at the top or inside `options`. */
function allowedOptions({ members }: EmbeddingRequest, { requestOptions }: Target): JsonObject {
  if (requestOptions.length === 0) return {};
  const options = parseJson(members.get('options') ?? 'null');
  const given: Record<string, unknown> = isJsonObject(options) ? { ...options } : {};
  for (const [name, json] of members) if (requestOptions.includes(name)) given[name] = parseJson(json);
  const taken = Object.entries(given).filter(
    ([name, value]) => requestOptions.includes(name) && value !== null,
  );
  for (const [name, value] of taken) {
    if (typeof value === 'number' || typeof value === 'boolean') continue;
    throw new GatewayError('invalid_request', {
      message: `Invalid type for '${name}': expected a number.`,
      param: name,
      code: 'invalid_type',
    });
  }
  return Object.fromEntries(taken);
}

function readAnswer(body: ByteText): EmbeddingAnswer {
  const outline = cutNumberArrays(body);
  const answer = parseJson(decodeUtf8(outline.json));
  if (!isJsonObject(answer)) {
    throw new GatewayError('upstream_invalid_response', {
      message: 'The upstream server sent an invalid response.',
    });
  }
  const { embeddings, prompt_eval_count: count }: Partial<Record<keyof EmbedResponse, unknown>> = answer;
  const vectors = (Array.isArray(embeddings) ? embeddings : []).map((value) => {
    const array = arrayAt(value, outline);
    return array && ({ encoding: 'float', text: array.text, width: array.length } as const);
  });
  return { vectors, usage: toUsage(count) };
}

/** The field is left out when it is 0, and by old servers. */
function toUsage(count: unknown): Usage | null {
  return typeof count === 'number' ? { prompt: count, completion: 0, cached: 0, reasoning: 0 } : null;
}
