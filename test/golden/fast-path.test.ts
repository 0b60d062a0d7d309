/** The fast way through the Ollama decoder: the same answer as the slow one, and really taken. */

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { createChatPassthrough } from '../../src/backends/openai/stream.ts';
import { createOllamaDecoder } from '../../src/backends/ollama/stream.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { AnswerShape } from '../../src/core/kind.ts';
import type { ByteText } from '../../src/core/stream.ts';
import { createStreamEncoder } from '../../src/surfaces/openai-chat/stream.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';
import { ollamaToken, openaiChunk } from '../support/scripted-backend.ts';

const limits = { maxRecordBytes: 1_000_000, maxResponseBytes: 1_000_000 };
const shape: AnswerShape = {
  id: 'chatcmpl-x',
  created: 1,
  model: 'm',
  fingerprint: 'fp',
  isStream: true,
  index: 0,
  choices: 1,
  isPart: false,
  includeUsage: true,
  reasoningKeys: 'both',
  logprobs: false,
  firstCallOnly: false,
  legacyFunctions: false,
  customTools: [],
  newId: () => 'ID',
};

/** What was said, and how it ended. */
function run(bytes: string, useFastPath: boolean): { events: unknown[]; failure: string | undefined } {
  const encoder = createStreamEncoder(shape);
  const decoder = createOllamaDecoder(encoder, limits, useFastPath);
  let failure: string | undefined;
  try {
    decoder.push(bytes as ByteText);
    decoder.end();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    failure = error.reason;
  }
  const events = decodeUtf8(encoder.take())
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      expect(event).toMatch(/^data: /);
      const data = event.slice('data: '.length);
      return data === '[DONE]' ? data : (JSON.parse(data) as unknown);
    });
  return { events, failure };
}

/** As Go's encoder prints JSON. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '"', '\\"', '","thinking":"', '"},"done":false}', '<b>&', '\u2028'),
);
const message = fc.record(
  { role: fc.constant('assistant'), content: text, thinking: text },
  { requiredKeys: ['role', 'content'] },
);
const record = fc.record(
  {
    model: fc.constantFrom('m', 'a"b', 'hf.co/x/y:Q4'),
    created_at: fc.constantFrom('2026-08-21T10:00:00.5Z', '2026-08-21T10:00:01Z'),
    message,
    done: fc.constant(false),
    done_reason: fc.constant('length'),
    logprobs: fc.constant([{ token: 'x', logprob: -1 }]),
  },
  { requiredKeys: ['model', 'created_at', 'message', 'done'] },
);

describe('the fast path of the Ollama decoder', () => {
  it('says what the slow one says, for any records', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        const bytes = encodeUtf8(records.map((each) => `${goJson(each)}\n`).join(''));
        expect(run(bytes, true)).toEqual(run(bytes, false));
      }),
      { numRuns: 1000 },
    );
  });

  it('says what the slow one says when records were damaged', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 3 }), damage, (records, { at, byte }) => {
        const bytes = encodeUtf8(records.map((each) => `${goJson(each)}\n`).join(''));
        const place = at % bytes.length;
        const damaged = bytes.slice(0, place) + String.fromCharCode(byte) + bytes.slice(place + 1);
        expect(run(damaged, true)).toEqual(run(damaged, false));
      }),
      { numRuns: 1000 },
    );
  });

  it('puts out well-formed events for any bytes', () => {
    const bytes = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    });
    const lines = fc.array(
      fc.oneof(
        bytes,
        record.map((each) => encodeUtf8(goJson(each))),
      ),
    );
    fc.assert(
      fc.property(lines, (parts) => {
        run(parts.join('\n'), true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an ordinary token', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('of Ollama is not parsed', () => {
    const encoder = createStreamEncoder(shape);
    const decoder = createOllamaDecoder(encoder, limits);
    decoder.push(ollamaToken('first') as ByteText);
    const parse = jest.spyOn(JSON, 'parse');
    for (let i = 0; i < 100; i++) decoder.push(encodeUtf8(ollamaToken(`<t${String(i)} "é"`)));
    for (let i = 0; i < 100; i++) decoder.push(ollamaToken('', { thinking: String(i) }) as ByteText);
    expect(parse).not.toHaveBeenCalled();
  });

  it('of an OpenAI-compatible server is not parsed, once its shape is known', () => {
    const converter = createChatPassthrough(shape, limits);
    for (const content of ['one', 'two', 'three']) converter.push(openaiChunk({ content }) as ByteText);
    const parse = jest.spyOn(JSON, 'parse');
    for (let i = 0; i < 100; i++) converter.push(openaiChunk({ content: `t${String(i)}` }) as ByteText);
    expect(parse).not.toHaveBeenCalled();
    expect(converter.take()).toContain('"t99"');
  });
});
