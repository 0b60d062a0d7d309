/** Embeddings by Ollama's native POST /api/embed. */

import type { EmbedRequest, EmbedResponse } from 'ollama';
import type { EmbeddingAnswer, EmbeddingMethods, EmbeddingRequest } from '../../core/embedding.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { UpstreamRequest } from '../../core/upstream.ts';
import { modelOf, type ByteText, type Usage } from '../../core/stream.ts';
import { arrayAt, cutNumberArrays } from '../../wire/number-arrays.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { optionOf } from './options.ts';
import { EMBEDDING_PARAMETERS, settleOptions, type SettledOptions } from './settle.ts';
import { unusedOf, type Use } from './uses.ts';

export const ollamaEmbedding: EmbeddingMethods = { takesTokens: false, ignoredParams, toRequest, readAnswer };

const EMBEDDING_USES: Use<Target> = {
  members: {
    model: 'whole',
    encoding_format: 'whole',
    dimensions: 'whole',
    options: { members: {}, others: allowed },
  },
  others: allowed,
};

/** Only what the operator allowed: nothing is sampled. */
function allowed(name: string, target: Target): 'whole' | 'nothing' {
  return optionOf(name, target, false) ? 'whole' : 'nothing';
}

function ignoredParams(request: EmbeddingRequest, target: Target): readonly string[] {
  const { body, lost } = plan(request, target);
  return [...unusedOf(body, EMBEDDING_USES, target), ...lost];
}

function plan({ members }: EmbeddingRequest, target: Target): EmbeddingPlan {
  const lost: string[] = [];
  const body = Object.fromEntries(Array.from(members, ([name, json]) => [name, parseJson(json)]));
  return { body, lost, ...settleOptions(body, target, EMBEDDING_PARAMETERS, lost) };
}

interface EmbeddingPlan extends SettledOptions {
  /** Without the inputs. */
  readonly body: JsonObject;
  readonly lost: readonly string[];
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
  const { options, fields } = plan(request, target);
  const body = {
    model: target.upstreamModel,
    input: texts ? [...texts] : inputs.map(String),
    truncate: false,
    ...(dimensions !== undefined && { dimensions }),
    ...(Object.keys(options).length > 0 && { options }),
    ...fields,
  } satisfies EmbedRequest & JsonObject;
  return { method: 'POST', path: '/api/embed', body: JSON.stringify(body) };
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
  return { vectors, usage: toUsage(count), model: modelOf(answer) };
}

/** The field is left out when it is 0, and by old servers. */
function toUsage(count: unknown): Usage | null {
  return typeof count === 'number' ? { prompt: count, completion: 0, cached: 0, reasoning: 0 } : null;
}
