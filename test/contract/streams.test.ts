/** Streams of both kinds of backend: every event is what openapi.yaml says, and together they are the answer. */

import { describe, expect, it } from '@jest/globals';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { expectStream } from './answers.ts';
import { saysAs, type Saying } from './sayings.ts';
import { expectOrder, type Stream } from './stream.ts';

const setup = createSetup();
const CHAT = 'POST /v1/chat/completions';

const SAYINGS: readonly (readonly [string, Saying])[] = [
  ['text', { text: ['Hello', ' “wörld” 🌍', '\n"quoted" \\ back'] }],
  ['text that is cut at the limit', { text: ['Once', ' upon'], isCut: true }],
  ['thinking and text', { thinking: ['Let me', ' see.'], text: ['Yes', '.'] }],
  ['a call of a tool', { calls: [{ name: 'get_weather', arguments: { city: 'Zürich', days: 2 } }] }],
  [
    'thinking, text and two calls',
    {
      thinking: ['Two cities.'],
      text: ['One moment.'],
      calls: [
        { name: 'get_weather', arguments: { city: 'Oslo' } },
        { name: 'get_weather', arguments: {} },
      ],
    },
  ],
  ['nothing', {}],
];

interface Told {
  text: string;
  thinking: string;
  calls: { name: string; arguments: unknown }[];
  finish: string | null;
}

/** Puts the pieces together as an SDK does. */
function merge({ chunks }: Stream): Told {
  const told: Told = { text: '', thinking: '', calls: [], finish: null };
  const texts: string[] = [];
  for (const { delta, finish_reason } of chunks.flatMap((chunk) => chunk.choices ?? [])) {
    const { content, reasoning, reasoning_content, tool_calls } = delta;
    expect(reasoning).toBe(reasoning_content);
    told.text += (content as string | null | undefined) ?? '';
    told.thinking += (reasoning as string | undefined) ?? '';
    for (const { index, function: called } of (tool_calls as CallPiece[] | undefined) ?? []) {
      if (called.name !== undefined) told.calls[index] = { name: called.name, arguments: undefined };
      texts[index] = (texts[index] ?? '') + called.arguments;
    }
    told.finish = finish_reason ?? told.finish;
  }
  told.calls.forEach((call, i) => {
    call.arguments = JSON.parse(texts[i] ?? '');
  });
  return told;
}

interface CallPiece {
  readonly index: number;
  readonly function: { readonly name?: string; readonly arguments: string };
}

function told({ text = [], thinking = [], calls = [], isCut = false }: Saying): Told {
  const finish = isCut ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop';
  return { text: text.join(''), thinking: thinking.join(''), calls: [...calls], finish };
}

describe.each(KINDS_OF_STREAM)('a stream of %s', (_, variable) => {
  describe.each([true, false])('with include_usage: %s', (asksUsage) => {
    it.each(SAYINGS)('tells %s in events of the contract', async (_name, saying) => {
      const backend = await setup.backend(saysAs(saying));
      const gateway = await setup.gateway({ env: { [variable]: backend.url } });
      const response = await gateway.chat({
        stream: true,
        ...(asksUsage && { stream_options: { include_usage: true } }),
      });
      const stream = await expectStream(CHAT, response);
      expectOrder(stream, asksUsage);
      expect(merge(stream)).toEqual(told(saying));
      expect(stream.chunks[0]).toMatchObject({ model: 'm' });
      const { usage } = stream.chunks.at(-1) ?? {};
      if (asksUsage)
        expect(usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 7, total_tokens: 16 });
    });
  });

  it('says only the first of several calls when parallel calls are turned off', async () => {
    const call = { name: 'f', arguments: { a: 1 } };
    const backend = await setup.backend(saysAs({ calls: [call, { name: 'g', arguments: {} }] }));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const stream = await expectStream(CHAT, await gateway.chat({ stream: true, parallel_tool_calls: false }));
    expectOrder(stream, false);
    expect(merge(stream).calls).toEqual([call]);
  });

  it('has comments in a long silence, and is the same stream for the rest', async () => {
    const backend = await setup.backend(() => undefined);
    const called = new Promise<void>((resolve) => {
      backend.script(async (call) => {
        resolve();
        await released;
        await saysAs({ text: ['late'] })(call);
      });
    });
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const env = { [variable]: backend.url, COMMIT_AFTER_MS: '1000', FIRST_TOKEN_TIMEOUT_MS: '0' };
    const gateway = await setup.gateway({ env, isClockStopped: true });
    const response = gateway.chat({ stream: true });
    await called;
    gateway.advance(1000);
    release();
    const stream = await expectStream(CHAT, await response);
    expectOrder(stream, false);
    expect(stream.comments).toHaveLength(1);
    expect(merge(stream).text).toBe('late');
  });
});
