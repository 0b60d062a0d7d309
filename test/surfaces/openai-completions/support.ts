/** Text completions through the surface without a server: what a backend is asked, and what a client gets. */

import { kinds } from '../../../src/backends/index.ts';
import { toGatewayError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Operation } from '../../../src/core/operation.ts';
import type { KindName, Target } from '../../../src/core/fleet.ts';
import type { ByteText } from '../../../src/core/stream.ts';
import { errorEvent } from '../../../src/surfaces/errors.ts';
import { openaiCompletions } from '../../../src/surfaces/openai-completions/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../../src/wire/utf8.ts';
import { targetOf as ollamaTarget } from '../../backends/ollama/support.ts';

export function operationOf(body: JsonObject, isStrict = false): Operation {
  return openaiCompletions.toOperation(JSON.stringify({ model: 'm', prompt: 'Once', ...body }), {
    wallClock: () => 1_700_000_000_000,
    newId: () => 'ID',
    reasoningKeys: 'both',
    isStrict,
    isRescueOn: false,
    limits: { maxRecordBytes: 1 << 20, maxResponseBytes: 1 << 24, maxChoices: 8 },
  });
}

export function targetOf(kind: KindName, more: Partial<Target> = {}): Target {
  const target = ollamaTarget();
  return { ...target, backend: { ...target.backend, kind }, model: undefined, ...more };
}

/** The parts that the request is split into for a backend of this kind; the request itself when it is not. */
export function partsOf(operation: Operation, kind: KindName): readonly Operation[] {
  return operation.split?.([kinds[kind]])?.parts ?? [operation];
}

/** The body of the call to a backend. */
export function asked(operation: Operation, kind: KindName, more: Partial<Target> = {}): JsonObject {
  const { body = '' } = operation.upstreamRequest(kinds[kind], targetOf(kind, more));
  return JSON.parse(body) as JsonObject;
}

/** The text that a client gets when the backend sends these pieces; a failure is told in the stream. */
export function told(operation: Operation, kind: KindName, pieces: readonly ByteText[]): string {
  const converter = operation.createConverter(kinds[kind], targetOf(kind));
  let sent = '';
  try {
    for (const piece of pieces) {
      converter.push(piece);
      sent += converter.take();
    }
    converter.end();
    sent += converter.take();
  } catch (thrown) {
    sent += converter.take() + errorEvent(toGatewayError(thrown));
  }
  return decodeUtf8(sent as ByteText);
}

export interface Choice {
  readonly text: string;
  readonly index: number;
  readonly logprobs: JsonObject | null;
  readonly finish_reason: string | null;
}

export interface Payload {
  readonly id?: string;
  readonly choices?: readonly Choice[];
  readonly error?: { readonly code: string | null; readonly param: string | null };
}

/** The events of a stream. */
export function eventsOf(sse: string): (Payload | '[DONE]')[] {
  return sse
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.slice('data: '.length))
    .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as Payload)));
}

/** The text of all events together. */
export function textOf(sse: string): string {
  return eventsOf(sse)
    .flatMap((event) => (event === '[DONE]' ? [] : (event.choices ?? [])))
    .map(({ text }) => text)
    .join('');
}

/** NDJSON of Ollama. */
export function records(...items: readonly object[]): ByteText {
  return encodeUtf8(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
}

/** Events of a compatible server, ended with `[DONE]`. */
export function events(...items: readonly object[]): ByteText {
  const data = [...items.map((item) => JSON.stringify(item)), '[DONE]'];
  return encodeUtf8(data.map((each) => `data: ${each}\n\n`).join(''));
}

/** A chunk of a compatible server. */
export function chunk(text: string, finish: string | null = null, more: object = {}): object {
  const choice = { text, index: 0, logprobs: null, finish_reason: finish, stop_reason: null, ...more };
  return { id: 'cmpl-up', object: 'text_completion', created: 1, model: 'up', choices: [choice] };
}
