/** A chat request → the operation that the data path carries out. */

import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import { toolName } from '../../core/chat.ts';
import { createConverter } from '../../core/convert.ts';
import { GatewayError } from '../../core/errors.ts';
import type { Operation, SurfaceContext } from '../../core/operation.ts';
import type { Target } from '../../core/fleet.ts';
import type { AnswerShape, ChatFormat } from '../../core/kind.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { createResultEncoder } from './result.ts';
import { createStreamEncoder } from './stream.ts';
import { fetchImages, hasRemoteImages } from './images.ts';
import { splitChoices } from './choices.ts';

export const chatFormat: ChatFormat = {
  format: 'openai-chat',
  createEncoder: (shape, limits) =>
    shape.isStream ? createStreamEncoder(shape) : createResultEncoder(shape, limits),
};

/** What all parts of an answer have in common. */
interface Answer {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
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
    ...(hasRemoteImages(request) && {
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

export function toShape(
  body: ChatBody,
  { id, created }: Answer,
  { newId, reasoningKeys }: Pick<SurfaceContext, 'newId' | 'reasoningKeys'>,
  target: Target,
  part?: number,
): AnswerShape {
  return {
    id,
    created,
    model: body.model,
    fingerprint: fingerprintOf(target),
    isStream: body.stream === true,
    index: part ?? 0,
    isPart: part !== undefined,
    includeUsage: body.stream_options?.include_usage === true,
    reasoningKeys,
    logprobs: body.logprobs === true,
    firstCallOnly: body.parallel_tool_calls === false,
    legacyFunctions: Array.isArray(body.functions),
    customTools: customToolNames(body.tools),
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
