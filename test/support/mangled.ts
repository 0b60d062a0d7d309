/** Bytes as no server should send them: streams that were right once, mangled, or anything at all. */

import fc from 'fast-check';
import type { ByteText } from '../../src/core/stream.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import { ollamaDone, ollamaToken, openaiChunk, sse } from './scripted-backend.ts';

const CALL = { function: { name: 'f', arguments: { a: [1, { b: 'c' }] } } };
const TOP = [{ token: 'a', bytes: [97], logprob: -0.1, top_logprobs: [] }];

/** What Ollama says of chats and completions, with everything that its readers look at. */
const OLLAMA_STREAMS = [
  ollamaToken('Hel') + ollamaToken('lo "ü" 🦊\n\\') + ollamaDone(),
  ollamaToken('', { thinking: 'hmm \u2028' }) + ollamaToken('so') + ollamaDone({ done_reason: 'length' }),
  ollamaToken('', { tool_calls: [CALL, CALL] }) + ollamaDone({ eval_count: 1e21 }),
  `${ollamaToken('a').replace('"done":false', `"logprobs":${JSON.stringify(TOP)},"done":false`)}${ollamaDone()}`,
  `${JSON.stringify({ model: 'm', created_at: 'x', response: 'a "b" ü', done: false })}\n${JSON.stringify({ model: 'm', created_at: 'x', response: '', done: true, done_reason: 'stop' })}\n`,
  `${ollamaToken('a')}{"error":"llama runner process has terminated"}\n`,
];

const USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const PIECE = { index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":' } };

/** What servers with OpenAI's format say. */
const OPENAI_STREAMS = [
  openaiChunk({ role: 'assistant', content: '' }) +
    openaiChunk({ content: 'lo "ü" 🦊\n\\' }).repeat(3) +
    openaiChunk({}, 'stop') +
    sse({ id: 'c', choices: [], usage: USAGE }) +
    sse('[DONE]'),
  `: ping\r\n\r\n${openaiChunk({ content: 'a' }).replaceAll('\n', '\r\n')}event: x\r\nid: 1\r\n${openaiChunk({ content: 'b' }, 'length')}${sse('[DONE]')}`,
  openaiChunk({ reasoning_content: 'hmm' }) +
    openaiChunk({ content: 'so' }) +
    openaiChunk({}, 'stop') +
    sse('[DONE]'),
  openaiChunk({ tool_calls: [PIECE] }) +
    openaiChunk({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] }) +
    openaiChunk({}, 'tool_calls') +
    sse('[DONE]'),
  sse({
    id: 'c',
    object: 'text_completion',
    choices: [{ index: 0, text: 'a "b" ü', finish_reason: null }],
  }).repeat(2) +
    sse({ id: 'c', object: 'text_completion', choices: [{ index: 0, text: '', finish_reason: 'stop' }] }) +
    sse('[DONE]'),
  openaiChunk({ content: 'a' }) + sse({ error: { message: 'EngineCore died', code: 500 } }),
];

/** One thing that goes wrong with a byte or with some of them, at a place between 0 and 1. */
const EDIT = fc.record({
  how: fc.constantFrom('change', 'insert', 'leave out', 'repeat', 'cut off'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  // Those that mean something are seen more often than others.
  bytes: fc.oneof(
    fc.string({ unit: fc.constantFrom(...Array.from('{}[]",:\\\n\r \0data0')), maxLength: 4 }),
    fc.string({ unit: fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 4 }),
  ),
});

type Edit = typeof EDIT extends fc.Arbitrary<infer T> ? T : never;

function mangle(text: string, { how, at, length, bytes }: Edit): string {
  const start = Math.floor(at * text.length);
  const end = start + length;
  switch (how) {
    case 'change':
      return text.slice(0, start) + bytes + text.slice(start + bytes.length);
    case 'insert':
      return text.slice(0, start) + bytes + text.slice(start);
    case 'leave out':
      return text.slice(0, start) + text.slice(end);
    case 'repeat':
      return text.slice(0, end) + text.slice(start);
    default:
      return text.slice(0, start);
  }
}

const ANYTHING = fc.uint8Array({ maxLength: 300 }).map((bytes) => String.fromCharCode(...bytes));

/** The body of an answer, in the reads in which it arrives. */
export function mangledAnswer(format: 'ollama' | 'openai'): fc.Arbitrary<ByteText[]> {
  return mangledText(STREAMS[format].map(encodeUtf8));
}

/** The same with its head, in chunks. */
export function mangledResponse(format: 'ollama' | 'openai'): fc.Arbitrary<ByteText[]> {
  return mangledText(STREAMS[format].map((stream) => toResponse(encodeUtf8(stream))));
}

const STREAMS = { ollama: OLLAMA_STREAMS, openai: OPENAI_STREAMS };

function toResponse(body: ByteText): string {
  const records = body.match(/[^\n]*\n+|[^\n]+$/g) ?? [];
  const chunks = records.map((record) => `${record.length.toString(16)}\r\n${record}\r\n`);
  return `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
}

function mangledText(streams: readonly string[]): fc.Arbitrary<ByteText[]> {
  const mangled = fc
    .tuple(fc.constantFrom(...streams), fc.array(EDIT, { maxLength: 4 }))
    .map(([stream, edits]) => edits.reduce<string>(mangle, stream));
  const bytes = fc.oneof({ weight: 9, arbitrary: mangled }, { weight: 1, arbitrary: ANYTHING });
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  return fc.tuple(bytes, cuts).map(([text, at]) => cutAt(text, at));
}

function cutAt(text: string, at: readonly number[]): ByteText[] {
  const places = [0, ...at.map((share) => Math.floor(share * text.length)), text.length].sort(
    (a, b) => a - b,
  );
  return places
    .slice(1)
    .map((end, i) => text.slice(places[i], end) as ByteText)
    .filter((piece) => piece !== '');
}
