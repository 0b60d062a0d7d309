/** Lines of backends that are not as they should be: what the client gets is well-formed, and ends once. */

import { describe, expect, it } from '@jest/globals';
import { kinds } from '../../src/backends/index.ts';
import { toGatewayError } from '../../src/core/errors.ts';
import type { ByteText } from '../../src/core/stream.ts';
import { openaiChat } from '../../src/surfaces/openai-chat/index.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import { backendOf, targetOf } from '../support/fleet.ts';
import { createDraw, mutateText, type Draw } from '../support/mutations.ts';
import { ollamaDone, ollamaToken, openaiChunk, sse } from '../support/scripted-backend.ts';

const MUTATED_LINES = 20_000;
const WORDS = ['Hel', 'lo ', '"ü"', ' 🦊', '\n\\', ' {"a":1}', 'data: [DONE]', '.'];
const TEXT = WORDS.join('');
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\n',
  '\r',
  '\n\n',
  '\u0000',
  '\u00ff',
  'null',
  '0',
  'true',
  'data: ',
  '[DONE]',
  '"done":true',
  '"error":"x"',
];

const USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
const LINES = {
  ollama: [...WORDS.map((word) => ollamaToken(word)), ollamaDone()],
  vllm: [
    openaiChunk({ role: 'assistant', content: '' }),
    ...WORDS.map((word) => openaiChunk({ content: word })),
    openaiChunk({}, 'stop'),
    sse({ id: 'c', object: 'chat.completion.chunk', choices: [], usage: USAGE }),
    sse('[DONE]'),
  ],
};

const CONTEXT = {
  wallClock: () => 1_700_000_000_000,
  newId: () => '0123456789abcdef0123456789abcdef',
  reasoningKeys: 'both',
  isRescueOn: false,
  isStrict: false,
  limits: { maxRecordBytes: 8192, maxResponseBytes: 1 << 20, maxChoices: 8 },
} as const;

const REQUEST = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true });

interface Outcome {
  /** All that the client gets, the error in the stream included. */
  readonly sent: string;
  /** How many lines were taken in. */
  readonly taken: number;
  readonly reason: string | undefined;
}

/** The lines come in pieces that end anywhere. */
function convert(kind: 'ollama' | 'vllm', lines: readonly string[], draw: Draw): Outcome {
  const operation = openaiChat.toOperation(REQUEST, CONTEXT);
  const converter = operation.createConverter(kinds[kind], targetOf(backendOf('b', { kind })));
  let sent = '';
  let taken = 0;
  try {
    for (const line of lines) {
      const cut = draw.below(2) === 0 ? 0 : draw.below(line.length + 1);
      taken++;
      for (const piece of [line.slice(0, cut), line.slice(cut)]) {
        if (!converter.isDone) converter.push(piece as ByteText);
        sent += converter.take();
      }
      if (converter.isDone) return { sent, taken, reason: undefined };
    }
    converter.end();
    return { sent: sent + converter.take(), taken, reason: undefined };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    return { sent: sent + converter.take() + openaiChat.errorEvent(error), taken, reason: error.reason };
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

interface Event {
  readonly error?: { readonly message: string };
  readonly choices?: readonly { readonly delta: { readonly content?: string } }[];
}

/** The text of a stream that is well-formed and has one end; throws when it is not. */
function readStream(sent: string): { text: string; isDone: boolean } {
  const decoded = strictUtf8.decode(Buffer.from(sent, 'latin1'));
  if (!/^(?:data: [^\r\n]+\n\n)+$/.test(decoded)) throw new Error('no stream of events');
  const payloads = decoded.slice(6, -2).split('\n\ndata: ');
  const events = payloads.map((payload) => (payload === '[DONE]' ? payload : (JSON.parse(payload) as Event)));
  const ends = events.filter((event) => typeof event === 'string' || event.error !== undefined);
  if (ends.length !== 1 || ends[0] !== events.at(-1)) throw new Error(`${String(ends.length)} ends`);
  const text = events.map((event) =>
    typeof event === 'string' ? '' : (event.choices?.[0]?.delta.content ?? ''),
  );
  return { text: text.join(''), isDone: ends[0] === '[DONE]' };
}

describe.each(['ollama', 'vllm'] as const)('%s', (kind) => {
  const bytes = LINES[kind].map((line): string => encodeUtf8(line));

  it('unharmed lines come through exactly, wherever their pieces end', () => {
    const draw = createDraw(1);
    for (let i = 0; i < 500; i++) {
      const { sent } = convert(kind, bytes, draw);
      expect(readStream(sent)).toEqual({ text: TEXT, isDone: true });
    }
  });

  it(`${String(MUTATED_LINES)} mutated lines: the stream is well-formed and ends in [DONE] or in an error`, () => {
    const draw = createDraw(2);
    const ways = new Map<string, number>();
    let mutated = 0;
    while (mutated < MUTATED_LINES) {
      const every = draw.from([2, 6, 12]);
      const isMutated = bytes.map(() => draw.below(every) === 0);
      const lines = bytes.map((line, i) => (isMutated[i] ? mutateText(line, draw, PIECES) : line));
      const { sent, taken, reason = 'done' } = convert(kind, lines, draw);
      try {
        if (readStream(sent).isDone !== (reason === 'done')) throw new Error(`ended with ${reason}`);
        if (reason === 'internal_error') throw new Error('a fault of the gateway');
      } catch (cause) {
        throw new Error(`${JSON.stringify(lines)} became ${JSON.stringify(sent)}`, { cause });
      }
      mutated += isMutated.slice(0, taken).filter(Boolean).length;
      ways.set(reason, (ways.get(reason) ?? 0) + 1);
    }
    // Both happen, or nothing was tested.
    expect(ways.get('done')).toBeGreaterThan(500);
    expect(ways.get('upstream_invalid_response')).toBeGreaterThan(500);
  });
});
