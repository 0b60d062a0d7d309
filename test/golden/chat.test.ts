/** Every recorded stream, in every chunking, through both ways of the decoder. */

import { retryAfterOf } from '../../src/core/errors.ts';
import { describe, expect, it } from '@jest/globals';
import { createChatDecoder, ollama } from '../../src/backends/ollama/index.ts';
import type { ChatBody } from '../../src/core/chat.ts';
import { GatewayError, toGatewayError } from '../../src/core/errors.ts';
import type { AnswerShape, BackendKind } from '../../src/core/kind.ts';
import type { ByteText } from '../../src/core/stream.ts';
import { createConverter } from '../../src/core/convert.ts';
import { errorBody, errorEvent } from '../../src/surfaces/errors.ts';
import { chatFormat } from '../../src/surfaces/openai-chat/operation.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';
import { chunkingsOf } from './chunkings.ts';
import { chat, meta, type Vector } from './vectors.ts';

const limits = { maxRecordBytes: 16 * 1024 * 1024, maxResponseBytes: 16 * 1024 * 1024 };

/** Both ways through the decoder: as it ships, and every record through JSON.parse. */
const WAYS: readonly (readonly [string, BackendKind])[] = [
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

function bytesOf(vector: Vector): ByteText {
  const lines = vector.rawLines ?? (vector.lines ?? []).map((line) => JSON.stringify(line));
  const text = lines.map((line) => `${line}\n`).join('');
  const framed = vector.framing === 'utf8-split' ? text.replaceAll('\n', '\r\n').trimEnd() : text;
  return encodeUtf8(framed);
}

interface Outcome {
  readonly sent: string;
  /** The failure, when nothing had been sent. */
  readonly error: GatewayError | undefined;
}

/** What a client would get: the data path without its sockets. */
function run(kind: BackendKind, vector: Vector, pieces: readonly ByteText[]): Outcome {
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

function expectedEvents(vector: Vector): unknown[] {
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

function parseEvents(sse: string): unknown[] {
  expect(sse.endsWith('\n\n')).toBe(true);
  return sse
    .slice(0, -2)
    .split('\n\n')
    .map((event) => {
      expect(event).toMatch(/^data: [^\n\r]*$/);
      const payload = event.slice('data: '.length);
      return payload === '[DONE]' ? payload : (JSON.parse(payload) as unknown);
    });
}

const streams = chat.filter((vector) => !vector.upstream);

describe.each(WAYS)('%s', (_, kind) => {
  it.each(streams.filter(({ events }) => events).map((v) => [`${v.id}: ${v.title}`, v] as const))(
    'streams %s',
    (_name, vector) => {
      // Most ways to cut give the same bytes, which need to be looked at once.
      const known = new Set<string>();
      for (const { name, pieces } of chunkingsOf(bytesOf(vector))) {
        const { sent } = run(kind, vector, pieces);
        if (known.has(sent)) continue;
        expect({ name, events: parseEvents(sent) }).toEqual({ name, events: expectedEvents(vector) });
        known.add(sent);
      }
    },
  );

  it.each(streams.filter(({ http }) => http).map((v) => [`${v.id}: ${v.title}`, v] as const))(
    'answers %s',
    (_name, vector) => {
      for (const { name, pieces } of chunkingsOf(bytesOf(vector))) {
        const { sent, error } = run(kind, vector, pieces);
        const body = error ? errorBody(error) : sent;
        expect({ name, status: error?.status ?? 200, body: JSON.parse(body) as unknown }).toEqual({
          name,
          status: vector.http?.status,
          body: vector.http?.body,
        });
      }
    },
  );
});

describe('an answer with an error status', () => {
  it.each(chat.filter(({ upstream }) => upstream).map((v) => [`${v.id}: ${v.title}`, v] as const))(
    'becomes %s',
    (_name, vector) => {
      const { status = 0, body } = vector.upstream ?? {};
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const error = ollama.failure({
        status,
        headers: {},
        body: encodeUtf8(text),
        model: 'nope',
      });
      expect(error.status).toBe(vector.http?.status);
      expect(JSON.parse(errorBody(error))).toEqual(vector.http?.body);
      const retryAfter = vector.http?.headers?.['retry-after'];
      if (retryAfter !== undefined) expect(String(retryAfterOf(error))).toBe(retryAfter);
    },
  );
});
