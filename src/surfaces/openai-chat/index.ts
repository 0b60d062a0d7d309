/** The surface POST /v1/chat/completions. */

import { toolName, type ChatBody } from '../../core/chat.ts';
import type { ChatSurface } from '../../core/ports.ts';
import type { ByteText } from '../../core/stream.ts';
import { encodeUtf8 } from '../../wire/utf8.ts';
import { toErrorBody } from './answer.ts';
import { toChatRequest } from './request.ts';
import { createResultEncoder } from './result.ts';
import { createStreamEncoder } from './stream.ts';

export const openaiChat: ChatSurface = {
  format: 'openai-chat',
  toRequest: toChatRequest,
  shape({ body }, { nowMs, newId, reasoningKeys, fingerprint }) {
    return {
      id: `chatcmpl-${newId()}`,
      created: Math.floor(nowMs / 1000),
      model: body.model,
      fingerprint,
      isStream: body.stream === true,
      includeUsage: body.stream_options?.include_usage === true,
      reasoningKeys,
      logprobs: body.logprobs === true,
      firstCallOnly: body.parallel_tool_calls === false,
      legacyFunctions: Array.isArray(body.functions),
      customTools: customToolNames(body.tools),
      newId,
    };
  },
  createEncoder(shape, limits) {
    return shape.isStream ? createStreamEncoder(shape) : createResultEncoder(shape, limits);
  },
  errorBody: (error) => encodeUtf8(JSON.stringify(toErrorBody(error))),
  errorEvent: (error) => `data: ${encodeUtf8(JSON.stringify(toErrorBody(error)))}\n\n` as ByteText,
};

/** Most requests have none, and every open stream holds this list. */
const NONE: readonly string[] = [];

function customToolNames(tools: ChatBody['tools']): readonly string[] {
  return tools?.some(({ type }) => type === 'custom')
    ? tools.filter(({ type }) => type === 'custom').map(toolName)
    : NONE;
}
