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
  logprobs = false,
  choices = 1,
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
    choices,
    logprobs,
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
  readonly choices?: readonly {
    readonly index: number;
    readonly delta: object;
    readonly finish_reason: string | null;
    readonly logprobs?: object | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
  } | null;
  readonly error?: { readonly code: string | null; readonly message: string };
}

/** What a recording's `out` is written in; the words of an error stand there where they are the server's. */
function summarise(sse: string, { out = [] }: Partial<Recording> = {}): unknown[] {
  const hasWords = out.some((each) => typeof each === 'object' && each !== null && 'message' in each);
  return sse
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const data = event.replace(/^data: /, '');
      if (data === '[DONE]') return data;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) {
        const { code, message } = chunk.error;
        return { error: code, ...(hasWords && { message }) };
      }
      expect(chunk).toMatchObject({ model: 'asked-for', object: 'chat.completion.chunk' });
      if (chunk.usage) {
        return {
          usage: [chunk.usage.prompt_tokens, chunk.usage.completion_tokens, chunk.usage.total_tokens],
        };
      }
      const { index = 0, delta, finish_reason: finish, logprobs } = chunk.choices?.[0] ?? {};
      return { ...(index > 0 && { index }), delta, finish, ...(logprobs && { logprobs }) };
    });
}

function bytesOf(recording: Recording, lineEnd = '\n'): string {
  return recording.in
    .map((item) => (typeof item === 'string' ? item : encodeUtf8(JSON.stringify(item))))
    .map((text) => (/^(event|error): /.test(text) ? text : `data: ${text}`))
    .map((event) => `${event}\n\n`.replaceAll('\n', lineEnd))
    .join('');
}

describe.each([
  ['fast path on', true],
  ['fast path off', false],
])('a compatible stream, %s', (_, useFastPath) => {
  it.each(RECORDINGS.map((recording) => [recording.title, recording] as const))('%s', (_title, recording) => {
    // Most ways to cut give the same bytes, which need to be looked at once.
    const known = new Set<string>();
    for (const { name, pieces } of chunkingsOf(bytesOf(recording))) {
      const sent = run(shapeOf(recording), pieces, useFastPath);
      if (known.has(sent)) continue;
      expect({ name, out: summarise(sent, recording) }).toEqual({ name, out: recording.out });
      known.add(sent);
    }
  });

  it('is the same with CRLF and comments between the events', () => {
    for (const recording of RECORDINGS) {
      const bytes = bytesOf(recording, '\r\n').replaceAll(/(?<=^|\r\n\r\n)data: \{/g, ': ping\r\n\r\n$&');
      expect(summarise(run(shapeOf(recording), [bytes], useFastPath), recording)).toEqual(recording.out);
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
