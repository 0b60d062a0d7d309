/** Recorded: two answers to one request, from a backend that gives one at a time. */

import { expect, it } from '@jest/globals';
import { ollama } from '../../src/backends/ollama/index.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { openaiChat } from '../../src/surfaces/openai-chat/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';
import { targetOf } from '../backends/ollama/support.ts';
import { more } from './vectors.ts';

interface ChoicesVector {
  readonly req: JsonObject;
  readonly upstreamRequests: readonly JsonObject[];
  readonly upstreamStreams: readonly (readonly string[])[];
  readonly eventsAnyInterleaving: readonly JsonObject[];
  readonly last: readonly unknown[];
}

const CONTEXT = {
  wallClock: () => 0,
  newId: () => 'ID',
  reasoningKeys: 'both' as const,
  isStrict: false,
  isRescueOn: false,
  limits: { maxRecordBytes: 1 << 20, maxResponseBytes: 1 << 20, maxChoices: 8 },
};

it('G01: each answer is asked for by itself and told under its index, the usage once', () => {
  const vector = more.find(({ id }) => id === 'G01') as unknown as ChoicesVector;
  const body = { model: 'm', messages: [{ role: 'user', content: 'q' }], ...vector.req };
  const split = openaiChat.toOperation(JSON.stringify(body), CONTEXT).split?.([ollama]);
  if (!split) throw new Error('it was not split');

  const target = targetOf();
  const asked = split.parts.map(
    (part) => JSON.parse(part.upstreamRequest(ollama, target).body ?? '') as JsonObject,
  );
  expect(asked).toMatchObject(vector.upstreamRequests);

  const told = split.parts.map((part, i) => {
    const converter = part.createConverter(ollama, target);
    converter.push(encodeUtf8(`${(vector.upstreamStreams[i] ?? []).join('\n')}\n`));
    converter.end();
    return { events: eventsOf(decodeUtf8(converter.take())), usage: converter.usage };
  });
  const { bytes } = split.conclude(told.map(({ usage }) => ({ body: encodeUtf8(''), usage })));

  const choices = told
    .flatMap(({ events }) => events)
    .map((event) => (event as { choices: unknown[] }).choices[0]);
  expect(choices).toMatchObject(vector.eventsAnyInterleaving);
  expect(eventsOf(decodeUtf8(bytes))).toMatchObject(vector.last);
});

function eventsOf(sse: string): unknown[] {
  return sse
    .trim()
    .split('\n\n')
    .map((event) => event.slice('data: '.length))
    .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as unknown)));
}
