/** Recorded embeddings: what Ollama is asked, and what the client gets. */

import { expect, it } from '@jest/globals';
import { kinds } from '../../src/backends/index.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { answerOf, ask, operationOf, targetOf, type Asked } from '../surfaces/openai-embeddings/support.ts';
import { more } from './vectors.ts';

interface EmbeddingVector {
  readonly id: string;
  readonly title: string;
  readonly req: JsonObject;
  readonly upstreamRequest?: Asked;
  readonly upstream: JsonObject;
  readonly http: JsonObject;
}

const recorded = more.filter(({ endpoint }) => endpoint === '/v1/embeddings') as unknown as EmbeddingVector[];
const target = targetOf('ollama', { upstreamModel: 'e' });

it.each(
  recorded.filter(({ upstream }) => upstream as unknown).map((v) => [`${v.id}: ${v.title}`, v] as const),
)('%s', (_, { req, upstreamRequest, upstream, http }) => {
  if (upstreamRequest) expect(ask(operationOf(req), target)).toEqual(upstreamRequest);
  expect(answerOf(req, 'ollama', upstream)).toEqual(http);
});

it('I04: token array input', async () => {
  const { req } = recorded.find(({ id }) => id === 'I04') ?? { req: {} };
  const operation = await operationOf(req).prepare?.(
    [kinds.ollama],
    {
      fetchImage: () => Promise.reject(new Error('there is no image')),
      decodeTokens: (tokens) => Promise.resolve(tokens.join() === '9906,1917' ? 'Hello world' : ''),
    },
    new AbortController().signal,
  );
  expect(operation && ask(operation, target).body.input).toEqual(['Hello world']);
});
