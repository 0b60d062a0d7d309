/** A text completion request → the operation that the data path carries out. */

import type { TokenEstimate } from '../../core/client.ts';
import type { CompletionRequest, CompletionShape } from '../../core/completion.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Operation, PartResult, Split, SurfaceContext } from '../../core/operation.ts';
import type { Target } from '../../core/fleet.ts';
import type { ByteText, Usage } from '../../core/stream.ts';
import { decodeUtf8, encodeUtf8 } from '../../wire/utf8.ts';
import { charactersOf, estimateTokens } from '../estimate.ts';
import { createCommonFingerprint, fingerprintOf } from '../fingerprint.ts';
import { decodeTexts } from '../texts.ts';
import { toUsageObject } from '../usage.ts';
import { createEncoder, toUsageEvent, type Head } from './encoder.ts';
import { completionTraits } from './traits.ts';

/** Prompts times answers of one request. */
const MAX_ANSWERS = 128;

/** What all parts of an answer have in common. */
interface Answer {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
}

/** OpenAI's default, where it must be kept to the letter; the models behind the gateway have none of their own. */
const STRICT_MAX_TOKENS = 16;

/** Throws GatewayError (400) for more answers than the gateway gives. */
export function createCompletionOperation(given: CompletionRequest, context: SurfaceContext): Operation {
  const request = context.isStrict ? withLimit(given) : given;
  const { body, prompts } = request;
  const { maxChoices } = context.limits;
  if ((body.n ?? 1) > maxChoices) {
    throw new GatewayError('invalid_request', {
      message: `Invalid 'n': integer above maximum value. Expected a value <= ${String(maxChoices)}, but got ${String(body.n)} instead.`,
      param: 'n',
      code: 'integer_above_max_value',
    });
  }
  if (prompts.length * (body.n ?? 1) > MAX_ANSWERS) {
    throw new GatewayError('invalid_request', {
      message: `Invalid 'prompt': ${String(prompts.length)} prompts with ${String(body.n ?? 1)} answers each are more than ${String(MAX_ANSWERS)} answers. Send fewer at a time.`,
      param: 'prompt',
      code: 'array_above_max_length',
    });
  }
  const answer = { id: `cmpl-${context.newId()}`, created: Math.floor(context.wallClock() / 1000) };
  return toOperation(request, answer, context);
}

function withLimit(request: CompletionRequest): CompletionRequest {
  const { body, members } = request;
  if (body.max_tokens !== null && body.max_tokens !== undefined) return request;
  return {
    ...request,
    body: { ...body, max_tokens: STRICT_MAX_TOKENS },
    members: new Map(members).set('max_tokens', String(STRICT_MAX_TOKENS)),
  };
}

function estimateCompletion({ body, prompts }: CompletionRequest): TokenEstimate {
  const answers = prompts.length * (body.n ?? 1);
  return estimateTokens(charactersOf(prompts), 0, answers, body.max_tokens);
}

/** `part`: the number of the one answer that this is for, when each is asked for by itself. */
function toOperation(
  request: CompletionRequest,
  answer: Answer,
  context: SurfaceContext,
  part?: number,
): Operation {
  const { body, prompts, texts } = request;
  const isMany = prompts.length * (body.n ?? 1) > 1;
  return {
    model: body.model,
    isStream: body.stream === true,
    promptParam: 'prompt',
    estimateTokens: () => estimateCompletion(request),
    traits: () => completionTraits(request),
    ignoredParams: ({ completion }, target) => completion.ignoredParams(request, target),
    upstreamRequest: ({ completion }, target) => completion.toRequest(request, target),
    createConverter({ completion }, target) {
      const shape = toShape(request, answer, target, part);
      return completion.createConverter(shape, context.limits, () => createEncoder(shape, context.limits));
    },
    ...(texts === undefined && {
      prepare: async (kinds, { decodeTokens }) =>
        kinds.some(({ completion }) => completion.needsTexts(request))
          ? toOperation(
              { ...request, texts: await decodeTexts(prompts, 'prompt', decodeTokens) },
              answer,
              context,
              part,
            )
          : toOperation(request, answer, context, part),
    }),
    ...(isMany && {
      split: (kinds) =>
        kinds.every((kind) => kind.hasChoices) ? undefined : splitAnswers(request, answer, context),
    }),
  };
}

function toShape(request: CompletionRequest, answer: Answer, target: Target, part?: number): CompletionShape {
  const { body, prompts, texts } = request;
  return {
    ...answer,
    model: body.model,
    fingerprint: fingerprintOf(target, body),
    isStream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
    index: part ?? 0,
    choices: prompts.length * (body.n ?? 1),
    isPart: part !== undefined,
    echo: body.echo === true ? String((texts ?? prompts)[0]) : '',
    logprobs: typeof body.logprobs === 'number',
  };
}

/** Each prompt as often as answers are wanted, one call each. */
function splitAnswers(request: CompletionRequest, answer: Answer, context: SurfaceContext): Split {
  const { body, prompts } = request;
  const n = body.n ?? 1;
  const count = prompts.length * n;
  const common = createCommonFingerprint();

  function partAt(i: number): Operation {
    const part = toOperation(toPart(request, Math.floor(i / n), i % n), answer, context, i);
    return {
      ...part,
      createConverter(kind, target) {
        common.note(i, fingerprintOf(target, body));
        return part.createConverter(kind, target);
      },
    };
  }

  return {
    parts: Array.from({ length: count }, (_, i) => partAt(i)),
    conclude(parts) {
      const usage = joinUsages(parts, n);
      const head = { ...answer, model: body.model, fingerprint: common.value() };
      return {
        bytes: body.stream === true ? toEnd(request, head, usage) : toBody(head, parts, usage),
        usage,
      };
    },
  };
}

/** With a seed each answer to a prompt has its own, or all would be the same. */
function toPart(
  { body, prompts, texts, members }: CompletionRequest,
  at: number,
  choice: number,
): CompletionRequest {
  const own = new Map(members);
  own.delete('n');
  // With more candidates than answers it stays, for the backend to heed or to refuse.
  const isChoosing = (body.best_of ?? 0) > (body.n ?? 1);
  if (!isChoosing) own.delete('best_of');
  const seed =
    body.seed === null || body.seed === undefined
      ? undefined
      : BigInt.asIntN(64, BigInt(body.seed) + BigInt(choice));
  if (seed !== undefined) own.set('seed', String(seed));
  return {
    body: {
      ...body,
      n: undefined,
      ...(!isChoosing && { best_of: undefined }),
      ...(seed !== undefined && { seed }),
    },
    prompts: prompts.slice(at, at + 1),
    texts: texts?.slice(at, at + 1),
    members: own,
  };
}

/** Each prompt is counted once, however many answers it has. */
function joinUsages(parts: readonly PartResult[], n: number): Usage | null {
  const counted = parts.flatMap(({ usage }, i) => (usage ? [{ usage, isFirst: i % n === 0 }] : []));
  if (counted.length === 0) return null;
  const sum = (of: (usage: Usage, isFirst: boolean) => number): number =>
    counted.reduce((total, { usage, isFirst }) => total + of(usage, isFirst), 0);
  return {
    prompt: sum(({ prompt }, isFirst) => (isFirst ? prompt : 0)),
    cached: sum(({ cached }, isFirst) => (isFirst ? cached : 0)),
    completion: sum(({ completion }) => completion),
    reasoning: sum(({ reasoning }) => reasoning),
  };
}

function toEnd({ body }: CompletionRequest, head: Head, usage: Usage | null): ByteText {
  const isWanted = body.stream_options?.include_usage === true && usage !== null;
  return `${isWanted ? toUsageEvent(head, usage) : ''}data: [DONE]\n\n` as ByteText;
}

function toBody({ fingerprint }: Head, parts: readonly PartResult[], usage: Usage | null): ByteText {
  const bodies = parts.map(({ body }) => JSON.parse(decodeUtf8(body)) as { choices: unknown[] });
  const choices = bodies.flatMap((body) => body.choices);
  const whole = {
    ...bodies[0],
    choices,
    system_fingerprint: fingerprint,
    ...(usage && { usage: toUsageObject(usage) }),
  };
  return encodeUtf8(JSON.stringify(whole));
}
