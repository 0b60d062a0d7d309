/** A recorded answer of Ollama through the data path, without its sockets; and what is expected of it. */

import { createChatDecoder, ollama } from '../../src/backends/ollama/index.ts';
import type { ChatBody } from '../../src/core/chat.ts';
import { createConverter } from '../../src/core/convert.ts';
import { GatewayError, toGatewayError } from '../../src/core/errors.ts';
import type { AnswerShape, BackendKind } from '../../src/core/kind.ts';
import type { ByteText } from '../../src/core/stream.ts';
import { errorEvent } from '../../src/surfaces/errors.ts';
import { chatFormat } from '../../src/surfaces/openai-chat/operation.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';
import { meta, type Vector } from './vectors.ts';

const limits = { maxRecordBytes: 16 * 1024 * 1024, maxResponseBytes: 16 * 1024 * 1024 };

/** Both ways through the decoder: as it ships, and every record through JSON.parse. */
export const WAYS: readonly (readonly [string, BackendKind])[] = [
  ['fast path on', ollama],
  [
    'fast path off',
    { ...ollama, createDecoder: (sink, request, limits) => createChatDecoder(sink, request, limits, false) },
  ],
];

/** A choice needs its tool, which the vectors leave out. */
const TOOLS: ChatBody['tools'] = [{ type: 'function', function: { name: 'get_time' } }];

function shapeOf({ req = {}, cfg = {} }: Vector): AnswerShape {
  let ids = 0;
  const options = req.stream_options as { include_usage?: boolean } | undefined;
  return {
    id: meta.id,
    created: meta.created,
    model: meta.model,
    fingerprint: meta.fp,
    isStream: req.stream !== false,
    index: 0,
    choices: 1,
    isPart: false,
    includeUsage: options?.include_usage === true,
    reasoningKeys: cfg.reasoning ?? 'both',
    logprobs: req.logprobs === true,
    firstCallOnly: req.parallel_tool_calls === false,
    legacyFunctions: cfg.legacy === true,
    customTools: [],
    newId: () => `TEST${String(ids++)}`,
  };
}

export function bytesOf(vector: Vector): ByteText {
  const lines = vector.rawLines ?? (vector.lines ?? []).map((line) => JSON.stringify(line));
  const text = lines.map((line) => `${line}\n`).join('');
  const framed = vector.framing === 'utf8-split' ? text.replaceAll('\n', '\r\n').trimEnd() : text;
  return encodeUtf8(framed);
}

export interface Outcome {
  readonly sent: string;
  /** The failure, when nothing had been sent. */
  readonly error: GatewayError | undefined;
}

/** What a client would get: the data path without its sockets. */
export function run(kind: BackendKind, vector: Vector, pieces: readonly ByteText[]): Outcome {
  const body: ChatBody = { model: meta.model, messages: [], tools: TOOLS, ...vector.req };
  const converter = createConverter(kind, chatFormat, { body, json: '' }, shapeOf(vector), limits);
  let sent = '';
  try {
    for (const piece of pieces) {
      converter.push(piece);
      sent += converter.take();
    }
    if (vector.eof === 'reset') {
      throw new GatewayError('upstream_connection_error', {
        message: 'The upstream connection was lost before the response was complete.',
      });
    }
    converter.end();
    sent += converter.take();
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.reason === 'internal_error') throw thrown;
    // What the reads before the failure said goes out first, as it would have.
    sent += converter.take();
    if (sent === '') return { sent, error };
    sent += errorEvent(error);
  }
  return { sent: decodeUtf8(sent as ByteText), error: undefined };
}

export function expectedEvents(vector: Vector): unknown[] {
  return (vector.events ?? []).map((event) => {
    if (event === '[DONE]' || 'error' in event) return event;
    const { usage, choices, ...choice } = event;
    return {
      id: meta.id,
      object: 'chat.completion.chunk',
      created: meta.created,
      model: meta.model,
      system_fingerprint: meta.fp,
      choices: choices ?? [{ index: 0, ...choice }],
      ...('usage' in event && { usage }),
    };
  });
}
