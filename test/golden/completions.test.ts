/** Recorded text completions: what Ollama is asked, and what it says, in every chunking. */

import { expect, it } from '@jest/globals';
import { ollama } from '../../src/backends/ollama/index.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { ByteText } from '../../src/core/stream.ts';
import { openaiCompletions } from '../../src/surfaces/openai-completions/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/wire/utf8.ts';
import { targetOf } from '../backends/ollama/support.ts';
import { chunkingsOf } from './chunkings.ts';
import { more } from './vectors.ts';

interface CompletionVector {
  readonly req: JsonObject;
  readonly upstreamRequest: { readonly path: string; readonly body: JsonObject };
  readonly lines: readonly string[];
  readonly events: readonly unknown[];
  readonly result: JsonObject;
}

const vectorOf = (wanted: string): CompletionVector =>
  more.find(({ id }) => id === wanted) as unknown as CompletionVector;

const CONTEXT = {
  wallClock: () => 0,
  newId: () => 'ID',
  reasoningKeys: 'both' as const,
  isStrict: false,
  isRescueOn: false,
  limits: { maxRecordBytes: 1 << 20, maxResponseBytes: 1 << 20, maxChoices: 8 },
};

/** What a client reads when the backend sends these pieces. */
function told(req: JsonObject, pieces: readonly ByteText[]): string {
  const operation = openaiCompletions.toOperation(JSON.stringify({ model: 'm', ...req }), CONTEXT);
  const converter = operation.createConverter(ollama, targetOf());
  let sent = '';
  for (const piece of pieces) {
    converter.push(piece);
    sent += converter.take();
  }
  converter.end();
  return decodeUtf8((sent + converter.take()) as ByteText);
}

it('H01: asks Ollama for the raw text', () => {
  const { req, upstreamRequest } = vectorOf('H01');
  const operation = openaiCompletions.toOperation(JSON.stringify({ model: 'm', ...req }), CONTEXT);
  const { path, body = '' } = operation.upstreamRequest(ollama, targetOf());
  expect({ path, body: JSON.parse(body) as unknown }).toMatchObject(upstreamRequest);
});

it('H01: streams the answer, however it is cut', () => {
  const { req, lines, events } = vectorOf('H01');
  for (const { name, pieces } of chunkingsOf(encodeUtf8(`${lines.join('\n')}\n`))) {
    const payloads = told(req, pieces)
      .trim()
      .split('\n\n')
      .map((event) => event.slice('data: '.length))
      .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as unknown)));
    expect({ name, payloads }).toMatchObject({ name, payloads: events });
    expect(payloads).toHaveLength(events.length);
  }
});

it('H03: begins with the prompt when it is to be echoed', () => {
  const { lines } = vectorOf('H01');
  const { req, result } = vectorOf('H03');
  const sent = JSON.parse(told(req, [encodeUtf8(`${lines.join('\n')}\n`)])) as unknown;
  expect(sent).toMatchObject({ choices: [result] });
});
