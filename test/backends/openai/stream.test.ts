/** Streams of OpenAI-compatible servers put right, in every chunking, both ways through. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createChatPassthrough } from '../../../src/backends/openai/stream.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { AnswerShape } from '../../../src/core/kind.ts';
import type { ByteText } from '../../../src/core/stream.ts';
import { errorEvent } from '../../../src/surfaces/errors.ts';
import { decodeUtf8, encodeUtf8 } from '../../../src/wire/utf8.ts';
import { chunkingsOf } from '../../golden/chunkings.ts';
import { RECORDINGS, type Recording } from './recordings.ts';

const limits = { maxRecordBytes: 1_000_000, maxResponseBytes: 1_000_000 };

function shapeOf({
  includeUsage = false,
  reasoningKeys = 'both',
  firstCallOnly = false,
}: Partial<Recording>): AnswerShape {
  return {
    id: 'chatcmpl-own',
    created: 1,
    model: 'asked-for',
    fingerprint: 'fp_own',
    isStream: true,
    index: 0,
    isPart: false,
    includeUsage,
    reasoningKeys,
    logprobs: false,
    firstCallOnly,
    legacyFunctions: false,
    customTools: [],
    newId: () => 'ID',
  };
}

function run(shape: AnswerShape, pieces: readonly string[], useFastPath: boolean): string {
  const converter = createChatPassthrough(shape, limits, useFastPath);
  let sent = '';
  try {
    for (const piece of pieces) {
      converter.push(piece as ByteText);
      sent += converter.take();
      if (converter.isDone) break;
    }
    if (!converter.isDone) converter.end();
    sent += converter.take();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    sent += converter.take() + errorEvent(error);
  }
  return decodeUtf8(sent as ByteText);
}

interface Chunk {
  readonly id?: string;
  readonly model?: string;
  readonly choices?: readonly { readonly delta: object; readonly finish_reason: string | null }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
  } | null;
  readonly error?: { readonly code: string | null };
}

/** What a recording's `out` is written in. */
function summarise(sse: string): unknown[] {
  return sse
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const data = event.replace(/^data: /, '');
      if (data === '[DONE]') return data;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) return { error: chunk.error.code };
      expect(chunk).toMatchObject({ model: 'asked-for', object: 'chat.completion.chunk' });
      if (chunk.usage) {
        return {
          usage: [chunk.usage.prompt_tokens, chunk.usage.completion_tokens, chunk.usage.total_tokens],
        };
      }
      const choice = chunk.choices?.[0];
      return { delta: choice?.delta, finish: choice?.finish_reason };
    });
}

function bytesOf(recording: Recording, lineEnd = '\n'): string {
  return recording.in
    .map(
      (item) =>
        `data: ${typeof item === 'string' ? item : encodeUtf8(JSON.stringify(item))}${lineEnd}${lineEnd}`,
    )
    .join('');
}

describe.each([
  ['fast path on', true],
  ['fast path off', false],
])('a compatible stream, %s', (_, useFastPath) => {
  it.each(RECORDINGS.map((recording) => [recording.title, recording] as const))('%s', (_title, recording) => {
    for (const { name, pieces } of chunkingsOf(bytesOf(recording))) {
      const out = summarise(run(shapeOf(recording), pieces, useFastPath));
      expect({ name, out }).toEqual({ name, out: recording.out });
    }
  });

  it('is the same with CRLF and comments between the events', () => {
    for (const recording of RECORDINGS) {
      const bytes = bytesOf(recording, '\r\n').replaceAll('data: {', ': ping\r\n\r\ndata: {');
      expect(summarise(run(shapeOf(recording), [bytes], useFastPath))).toEqual(recording.out);
    }
  });

  it('keeps one identity, whatever the chunks say', () => {
    const [recording] = RECORDINGS.filter(({ title }) => title.startsWith('llama.cpp'));
    const sse = recording ? run(shapeOf(recording), [bytesOf(recording)], useFastPath) : '';
    const chunks = sse
      .split('\n\n')
      .filter((event) => event.startsWith('data: {'))
      .map((event) => JSON.parse(event.slice('data: '.length)) as { id: string; created: number });
    expect(new Set(chunks.map(({ id }) => id))).toEqual(new Set(['chatcmpl-2']));
    expect(new Set(chunks.map(({ created }) => created)).size).toBe(1);
  });
});

describe('the fast path of a compatible stream', () => {
  it('sends byte for byte what the slow one says, for any texts in any shape of chunk', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('', '"', '\\', '\u0000', '\ud800', '</script>'),
    );
    const key = fc.constantFrom('content', 'reasoning_content', 'reasoning');
    const extra = fc.dictionary(
      fc.constantFrom('created', 'timings', 'usage', 'service_tier', 'x'),
      fc.jsonValue(),
      { maxKeys: 2 },
    );
    const token = fc.record({
      text,
      key,
      extra: fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: extra }),
    });
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 12 }),
        fc.constantFrom('both', 'none' as const),
        (tokens, reasoningKeys) => {
          const events = tokens.map(({ text: said, key: under, extra: more }) => ({
            id: 'c',
            model: 'x',
            ...more,
            choices: [{ index: 0, delta: { [under]: said }, finish_reason: null }],
          }));
          const recording: Recording = {
            title: '',
            in: [...events, { choices: [{ delta: {}, finish_reason: 'stop' }] }, '[DONE]'],
            out: [],
          };
          const shape = shapeOf({ reasoningKeys });
          const slow = summarise(run(shape, [bytesOf(recording)], false));
          expect(summarise(run(shape, [bytesOf(recording)], true))).toEqual(slow);
        },
      ),
      { numRuns: 500 },
    );
  });
});
