/** The text of an event stream → its events, held to the framing and the order that the contract describes. */

import { expect } from '@jest/globals';

interface Choice {
  readonly index: number;
  readonly delta: Readonly<Record<string, unknown>>;
  readonly finish_reason: string | null;
}

interface Event {
  readonly id?: string;
  readonly created?: number;
  readonly model?: string;
  readonly choices?: readonly Choice[];
  readonly error?: { readonly message: string; readonly code: string | null };
  readonly usage?: Readonly<Record<string, unknown>> | null;
}

export interface Stream {
  /** Payloads as they came: objects, and the text `[DONE]`. */
  readonly events: readonly unknown[];
  readonly comments: readonly string[];
  /** All but `[DONE]` and the error. */
  readonly chunks: readonly Event[];
  readonly error: Event['error'];
  readonly isDone: boolean;
}

/** One line `data: …` and an empty line for each event, or a comment and an empty line. */
export function readEvents(text: string): Stream {
  expect(text.endsWith('\n\n')).toBe(true);
  const blocks = text.slice(0, -2).split('\n\n');
  for (const block of blocks) expect(block).toMatch(/^(data: |: )[^\r\n]+$/);
  const payloads = blocks.filter((block) => block.startsWith('data: ')).map((block) => block.slice(6));
  const events = payloads.map((text) => (text === '[DONE]' ? text : (JSON.parse(text) as Event)));
  const parsed = events.filter((event) => typeof event !== 'string');
  return {
    events,
    comments: blocks.filter((block) => block.startsWith(':')),
    chunks: parsed.filter(({ error }) => error === undefined),
    error: parsed.find(({ error }) => error !== undefined)?.error,
    isDone: payloads.includes('[DONE]'),
  };
}

/** The rules between the events of one answer, which no schema of a single event can hold. */
export function expectOrder(stream: Stream, asksUsage: boolean): void {
  const { events, chunks, error, isDone } = stream;
  expect(
    new Set(chunks.map(({ id, created, model }) => `${String(id)} ${String(created)} ${String(model)}`)).size,
  ).toBeLessThanOrEqual(1);
  expect(chunks.map((chunk) => 'usage' in chunk)).toEqual(chunks.map(() => asksUsage));
  const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
  expect(choices.map(({ delta }) => 'role' in delta)).toEqual(choices.map((_, i) => i === 0));
  const ends = choices.filter((choice) => choice.finish_reason !== null);
  if (error) {
    expect(isDone).toBe(false);
    expect(ends).toEqual([]);
    expect(events.at(-1)).toHaveProperty('error');
  } else {
    expect(events.indexOf('[DONE]')).toBe(events.length - 1);
    expect(ends).toEqual([choices.at(-1)]);
    expect(ends[0]?.delta).toEqual({});
    const counting = chunks.filter(({ usage }) => usage !== undefined && usage !== null);
    expect(counting).toEqual(asksUsage ? [chunks.at(-1)] : []);
  }
}
