/** `n` answers from backends that give one at a time: one call each, told under one id. */

import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import type { Operation, PartResult, Split } from '../../core/operation.ts';
import type { AnswerShape } from '../../core/kind.ts';
import type { ByteText, Usage } from '../../core/stream.ts';
import { printMembers, sliceMembers } from '../../wire/json-slice.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { toUsageObject } from '../usage.ts';
import { toUsageEvent } from './answer.ts';

/** `partOf` makes the operation of one part. */
export function splitChoices(
  request: ChatRequest,
  answer: Pick<AnswerShape, 'id' | 'created'>,
  partOf: (request: ChatRequest, index: number) => Operation,
): Split {
  const { n, model, stream, stream_options: options } = request.body;
  return {
    parts: Array.from({ length: n ?? 1 }, (_, i) => partOf(toPart(request, i), i)),
    conclude(parts) {
      const usage = joinUsages(parts);
      const bytes = stream
        ? toEnd(answer, model, options?.include_usage === true ? usage : null)
        : toBody(parts, usage);
      return { bytes, usage };
    },
  };
}

/** The same request for one answer; with a seed each has its own, or all would be the same. */
function toPart({ body, json, images }: ChatRequest, index: number): ChatRequest {
  const members = sliceMembers(json);
  members.delete('n');
  const seed = seedOf(body, index);
  if (seed !== undefined) members.set('seed', String(seed));
  return {
    body: { ...body, n: undefined, ...(seed !== undefined && { seed }) },
    json: printMembers(members),
    ...(images && { images }),
  };
}

function seedOf({ seed }: ChatBody, index: number): bigint | undefined {
  return seed === null || seed === undefined ? undefined : BigInt.asIntN(64, BigInt(seed) + BigInt(index));
}

/** The prompt is the same for all, and counted once. */
function joinUsages(parts: readonly PartResult[]): Usage | null {
  const usages = parts.flatMap(({ usage }) => usage ?? []);
  const [first] = usages;
  if (!first) return null;
  return {
    ...first,
    completion: usages.reduce((sum, { completion }) => sum + completion, 0),
    reasoning: usages.reduce((sum, { reasoning }) => sum + reasoning, 0),
  };
}

function toEnd(answer: Pick<AnswerShape, 'id' | 'created'>, model: string, usage: Usage | null): ByteText {
  return `${usage ? toUsageEvent(answer, model, usage) : ''}data: [DONE]\n\n` as ByteText;
}

function toBody(parts: readonly PartResult[], usage: Usage | null): ByteText {
  const bodies = parts.map(({ body }) => JSON.parse(decodeUtf8(body)) as { choices: unknown[] });
  const choices = bodies.flatMap((body) => body.choices);
  return encodeUtf8(JSON.stringify({ ...bodies[0], choices, ...(usage && { usage: toUsageObject(usage) }) }));
}
