/** Embeddings through the surface without a server: what a backend is asked, and what a client gets. */

import { kinds } from '../../../src/backends/index.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Operation } from '../../../src/core/operation.ts';
import type { KindName, Target } from '../../../src/core/fleet.ts';
import type { Usage } from '../../../src/core/stream.ts';
import { openaiEmbeddings } from '../../../src/surfaces/openai-embeddings/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../../src/wire/utf8.ts';
import { backendOf, targetOf as targetOn } from '../../support/fleet.ts';

export const MAX_RESPONSE_BYTES = 1 << 20;

export function operationOf(body: JsonObject): Operation {
  return openaiEmbeddings.toOperation(JSON.stringify({ model: 'e', ...body }), {
    wallClock: () => 0,
    newId: () => 'ID',
    reasoningKeys: 'both',
    isStrict: false,
    isRescueOn: false,
    limits: { maxRecordBytes: 1 << 20, maxResponseBytes: MAX_RESPONSE_BYTES, maxChoices: 1 },
  });
}

export function targetOf(kind: KindName, more: Partial<Target> = {}): Target {
  return targetOn(backendOf('b', { kind }), { upstreamModel: 'upstream-e', ...more });
}

export interface Asked {
  readonly path: string;
  readonly body: JsonObject;
}

export function ask(operation: Operation, target: Target): Asked {
  const { path, body = '' } = operation.upstreamRequest(kinds[target.backend.kind], target);
  return { path, body: JSON.parse(body) as JsonObject };
}

export interface Answer {
  readonly object: string;
  readonly data: readonly { object: string; index: number; embedding: number[] | string }[];
  readonly model: string;
  readonly usage: { prompt_tokens: number; total_tokens: number };
}

/** The text that a client gets for what the backend answers. Throws as the operation does. */
export function tell(
  operation: Operation,
  kind: KindName,
  upstream: unknown,
): { text: string; usage: Usage | null } {
  const converter = operation.createConverter(kinds[kind], targetOf(kind));
  const bytes = encodeUtf8(typeof upstream === 'string' ? upstream : JSON.stringify(upstream));
  for (let at = 0; at < bytes.length; at += 1000) converter.push(bytes.slice(at, at + 1000) as typeof bytes);
  converter.end();
  return { text: decodeUtf8(converter.take()), usage: converter.usage };
}

export function answerOf(body: JsonObject, kind: KindName, upstream: unknown): Answer {
  return JSON.parse(tell(operationOf(body), kind, upstream).text) as Answer;
}

/** What OpenAI-compatible servers answer. */
export function listOf(...embeddings: readonly unknown[]): JsonObject {
  return {
    object: 'list',
    data: embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    model: 'upstream-e',
    usage: { prompt_tokens: 5, total_tokens: 5 },
  };
}
