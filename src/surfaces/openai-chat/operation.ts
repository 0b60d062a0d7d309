/** A chat request → the operation that the data path carries out. */

import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import { toolName } from '../../core/chat.ts';
import type { TokenEstimate } from '../../core/client.ts';
import { createConverter } from '../../core/convert.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Operation, Rescue, SurfaceContext } from '../../core/operation.ts';
import type { Target } from '../../core/fleet.ts';
import type { AnswerShape, ChatFormat } from '../../core/kind.ts';
import { estimateTokens } from '../estimate.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { createTranscript, type Transcript } from '../../core/transcript.ts';
import { toRest } from './rest.ts';
import { createResultEncoder } from './result.ts';
import { createStreamEncoder } from './stream.ts';
import { fetchImages, hasRemoteImages } from './images.ts';
import { splitChoices } from './choices.ts';
import { chatTraits } from './traits.ts';

export const chatFormat: ChatFormat = {
  format: 'openai-chat',
  createEncoder: (shape, limits) =>
    shape.isStream ? createStreamEncoder(shape) : createResultEncoder(shape, limits),
};

/** What all parts of an answer, and all backends that tell it, have in common. */
interface Answer {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly transcript?: Transcript;
}

/** Throws GatewayError (400) for more answers than the gateway gives. */
export function createChatOperation(request: ChatRequest, context: SurfaceContext): Operation {
  const { n } = request.body;
  const { maxChoices } = context.limits;
  if (typeof n === 'number' && n > maxChoices) {
    throw new GatewayError('invalid_request', {
      message: `Invalid 'n': integer above maximum value. Expected a value <= ${String(maxChoices)}, but got ${String(n)} instead.`,
      param: 'n',
      code: 'integer_above_max_value',
    });
  }
  const answer = {
    id: `chatcmpl-${context.newId()}`,
    created: Math.floor(context.wallClock() / 1000),
    ...(context.isRescueOn && isContinuable(request) && { transcript: createTranscript() }),
  };
  return toOperation(request, answer, context);
}

/** `part`: which of several answers this is, when each is asked for by itself. */
function toOperation(
  request: ChatRequest,
  answer: Answer,
  context: SurfaceContext,
  part?: number,
): Operation {
  const { body } = request;
  return {
    model: body.model,
    isStream: body.stream === true,
    estimateTokens: () => estimateChat(body),
    traits: () => chatTraits(body),
    ignoredParams: (kind, target) => kind.ignoredParams(request, target),
    upstreamRequest: (kind, target) => kind.chatRequest(request, target),
    createConverter: (kind, target) =>
      createConverter(
        kind,
        chatFormat,
        request,
        toShape(body, answer, context, target, part),
        context.limits,
      ),
    ...(answer.transcript && { rescue: toRescue(request, answer, answer.transcript, context) }),
    ...(hasRemoteImages(request) && {
      check: (kind, target) => kind.checkChat?.(request, target),
      prepare: async (kinds, { fetchImage }, signal) =>
        kinds.every((kind) => kind.takesImageUrls)
          ? toOperation({ ...request, images: new Map() }, answer, context, part)
          : toOperation(await fetchImages(request, fetchImage, signal), answer, context, part),
    }),
    ...(typeof body.n === 'number' &&
      body.n > 1 && {
        split: (kinds) =>
          kinds.every((kind) => kind.hasChoices)
            ? undefined
            : splitChoices(request, answer, (each, index) => toOperation(each, answer, context, index)),
      }),
  };
}

function estimateChat({ messages, tools, n, max_completion_tokens, max_tokens }: ChatBody): TokenEstimate {
  let characters = tools ? JSON.stringify(tools).length : 0;
  let media = 0;
  for (const { content, tool_calls: calls } of messages) {
    if (calls) characters += JSON.stringify(calls).length;
    if (typeof content === 'string') characters += content.length;
    else {
      for (const part of content ?? []) {
        if (part.type === 'text') characters += part.text.length;
        else media++;
      }
    }
  }
  return estimateTokens(characters, media, n ?? 1, max_completion_tokens ?? max_tokens);
}

/** Only plain text has a place from where to go on. */
function isContinuable({ body }: ChatRequest): boolean {
  const { stream, n, tools, logprobs, response_format: format, messages } = body;
  const isPlain = (format ?? { type: 'text' }).type === 'text' && !logprobs && (tools ?? []).length === 0;
  return stream === true && (n ?? 1) === 1 && isPlain && messages.at(-1)?.role !== 'assistant';
}

function toRescue(
  request: ChatRequest,
  answer: Answer,
  transcript: Transcript,
  context: SurfaceContext,
): Rescue {
  return {
    transcript,
    continued() {
      const said = transcript.text();
      if (said === undefined) return undefined;
      const { pieces } = transcript;
      return toOperation(pieces === 0 ? request : toRest(request, said, pieces), answer, context);
    },
  };
}

export function toShape(
  body: ChatBody,
  { id, created, transcript }: Answer,
  { newId, reasoningKeys }: Pick<SurfaceContext, 'newId' | 'reasoningKeys'>,
  target: Target,
  part?: number,
): AnswerShape {
  return {
    id,
    created,
    fingerprint: fingerprintOf(target, body),
    serviceTier: body.service_tier ? 'default' : undefined,
    ...(transcript && transcript.pieces > 0 && transcript.identity),
    model: body.model,
    isStream: body.stream === true,
    index: part ?? 0,
    choices: body.n ?? 1,
    isPart: part !== undefined,
    includeUsage: body.stream_options?.include_usage === true,
    reasoningKeys,
    logprobs: body.logprobs === true,
    firstCallOnly: body.parallel_tool_calls === false,
    legacyFunctions: Array.isArray(body.functions),
    customTools: customToolNames(body.tools),
    transcript,
    newId,
  };
}

/** Most requests have none, and every open stream holds this list. */
const NONE: readonly string[] = [];

function customToolNames(tools: ChatBody['tools']): readonly string[] {
  return tools?.some(({ type }) => type === 'custom')
    ? tools.filter(({ type }) => type === 'custom').map(toolName)
    : NONE;
}
