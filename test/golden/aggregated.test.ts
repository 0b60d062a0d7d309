/** The vectors of streams once more, asked for in one piece: the same text, thinking, calls, finish and failure. */

import { describe, expect, it } from '@jest/globals';
import { errorBody } from '../../src/surfaces/errors.ts';
import { bytesOf, expectedEvents, run, WAYS } from './chat-run.ts';
import { chunkingsOf } from './chunkings.ts';
import { chat } from './vectors.ts';

interface Call {
  readonly name: string;
  readonly arguments: string;
}

interface Whole {
  readonly text: string;
  readonly thinking: string;
  readonly calls: readonly Call[];
  readonly finish: unknown;
  readonly usage?: unknown;
}

interface Said {
  readonly content?: string | null;
  readonly reasoning?: string;
  readonly reasoning_content?: string;
  readonly function_call?: Partial<Call>;
  readonly tool_calls?: readonly { readonly index?: number; readonly function: Partial<Call> }[];
}

interface Event {
  readonly error?: unknown;
  readonly usage?: unknown;
  readonly choices?: readonly {
    readonly delta?: Said;
    readonly message?: Said;
    readonly finish_reason: unknown;
  }[];
}

/** What chunks come to, or one answer: both have choices. */
function foldOf(events: readonly Event[]): Whole {
  let [text, thinking, finish, usage]: [string, string, unknown, unknown] = ['', '', null, undefined];
  const calls: Call[] = [];
  for (const event of events) {
    usage = event.usage ?? usage;
    const [choice] = event.choices ?? [];
    const said = choice?.delta ?? choice?.message ?? {};
    text += said.content ?? '';
    thinking += said.reasoning ?? said.reasoning_content ?? '';
    const pieces = said.function_call ? [{ index: 0, function: said.function_call }] : said.tool_calls;
    for (const [i, { index = i, function: piece }] of (pieces ?? []).entries()) {
      const known = calls[index] ?? { name: '', arguments: '' };
      calls[index] = {
        name: known.name + (piece.name ?? ''),
        arguments: known.arguments + (piece.arguments ?? ''),
      };
    }
    finish = choice?.finish_reason ?? finish;
  }
  return { text, thinking, calls, finish, ...(usage !== undefined && { usage }) };
}

const streams = chat.filter(({ upstream, events }) => !upstream && events);

describe.each(WAYS)('%s', (_, kind) => {
  it.each(streams.map((v) => [`${v.id}: ${v.title}`, v] as const))('answers %s', (_name, vector) => {
    const expected = expectedEvents(vector) as Event[];
    const failure = expected.find(({ error }) => error !== undefined);
    const asked = { ...vector, req: { ...vector.req, stream: false } };
    const known = new Set<string>();
    for (const { name, pieces } of chunkingsOf(bytesOf(vector))) {
      const { sent, error } = run(kind, asked, pieces);
      const answer = error ? errorBody(error) : sent;
      if (known.has(answer)) continue;
      const body = JSON.parse(answer) as Event;
      if (failure) {
        expect({ name, error: body.error }).toEqual({ name, error: failure.error });
      } else {
        // Usage is told in one piece also when a stream was not to tell it.
        const whole = foldOf(expected);
        expect({ name, ...foldOf([body]) }).toMatchObject({ name, ...whole });
        expect(body.choices).toHaveLength(1);
      }
      known.add(answer);
    }
  });
});
