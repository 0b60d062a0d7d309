/** `n` answers from backends that give one at a time: one call each, told under one id. */

import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import type { Operation, PartResult, Split } from '../../core/operation.ts';
import type { AnswerShape } from '../../core/kind.ts';
import type { ByteText, Usage } from '../../core/stream.ts';
import { printMembers, sliceMembers } from '../../wire/json-slice.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { toUsageObject } from '../usage.ts';
import { createCommonFingerprint, fingerprintOf } from '../fingerprint.ts';
import { toUsageEvent, type Head } from './answer.ts';

/** `partOf` makes the operation of one part. */
export function splitChoices(
  request: ChatRequest,
  answer: Pick<AnswerShape, 'id' | 'created'>,
  partOf: (request: ChatRequest, index: number) => Operation,
): Split {
  const { n, model, stream, stream_options: options, service_tier: tier } = request.body;
  const common = createCommonFingerprint();

  /** Only what an encoder of ours tells is known here; a passthrough tells the server's own. */
  function noting(part: Operation, index: number): Operation {
    return {
      ...part,
      createConverter(kind, target) {
        common.note(index, kind.createDecoder && fingerprintOf(target, request.body));
        return part.createConverter(kind, target);
      },
    };
  }

  return {
    parts: Array.from({ length: n ?? 1 }, (_, i) => noting(partOf(toPart(request, i), i), i)),
    conclude(parts) {
      const usage = joinUsages(parts);
      const head = { ...answer, model, fingerprint: common.value(), ...(tier ? SERVICE_TIER : {}) };
      const bytes = stream
        ? toEnd(head, options?.include_usage === true ? usage : null)
        : toBody(parts, usage);
      return { bytes, usage };
    },
  };
}

const SERVICE_TIER = { serviceTier: 'default' } as const;

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

function toEnd(head: Head, usage: Usage | null): ByteText {
  return `${usage ? toUsageEvent(head, usage) : ''}data: [DONE]\n\n` as ByteText;
}

interface PartBody {
  readonly choices: readonly unknown[];
  readonly system_fingerprint?: string;
}

function toBody(parts: readonly PartResult[], usage: Usage | null): ByteText {
  const bodies = parts.map(({ body }) => JSON.parse(decodeUtf8(body)) as PartBody);
  const choices = bodies.flatMap((body) => body.choices);
  const fingerprints = new Set(bodies.map((body) => body.system_fingerprint));
  const whole = {
    ...bodies[0],
    choices,
    ...(usage && { usage: toUsageObject(usage) }),
    ...(fingerprints.size > 1 && { system_fingerprint: undefined }),
  };
  return encodeUtf8(JSON.stringify(whole));
}
