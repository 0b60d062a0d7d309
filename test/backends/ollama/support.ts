/** A model of Ollama that says what a test wants, without a server. */

import { ollama } from '../../../src/backends/ollama/index.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Target, UpstreamModel } from '../../../src/core/fleet.ts';
import { createConverter } from '../../../src/core/convert.ts';
import { chatFormat, toShape } from '../../../src/surfaces/openai-chat/operation.ts';
import { toChatRequest } from '../../../src/surfaces/openai-chat/request.ts';
import { decodeUtf8, encodeUtf8 } from '../../../src/wire/utf8.ts';
import { backendOf, targetOf as targetOn } from '../../support/fleet.ts';

const LIMITS = { maxRecordBytes: 1 << 20, maxResponseBytes: 1 << 20 };

export function targetOf(model: Partial<UpstreamModel> = {}, serverVersion = '0.33.0'): Target {
  return targetOn(backendOf('b'), {
    model: { name: 'm', created: 0, ownedBy: 'library', digest: '', ...model },
    serverVersion,
  });
}

export interface Said {
  readonly text: string;
  readonly calls: readonly { name: string; arguments: string }[];
  readonly customCalls: readonly { name: string; input: string }[];
  readonly functionCall: { name: string; arguments: string } | undefined;
  readonly finish: string | undefined;
  readonly events: readonly unknown[];
}

interface Piece {
  readonly content?: string | null;
  readonly tool_calls?: readonly {
    readonly index?: number;
    readonly function?: { name?: string; arguments: string };
    readonly custom?: { name: string; input: string };
  }[];
  readonly function_call?: { name?: string; arguments: string };
}

/** What a client that asked with `body` reads when the model prints these pieces of text. */
export function saidBy(body: JsonObject, texts: readonly string[], reason = 'stop'): Said {
  const request = toChatRequest(JSON.stringify(body));
  const answer = { id: 'chatcmpl-ID', created: 1 };
  const shape = toShape(request.body, answer, { newId: () => 'ID', reasoningKeys: 'both' }, targetOf());
  const converter = createConverter(ollama, chatFormat, request, shape, LIMITS);
  const records = [
    ...texts.map((content) => ({ message: { content }, done: false })),
    { message: { content: '' }, done: true, done_reason: reason },
  ];
  for (const record of records) converter.push(encodeUtf8(`${JSON.stringify(record)}\n`));
  converter.end();
  const sent = decodeUtf8(converter.take());
  return body.stream === true ? readStream(sent) : readPiece(JSON.parse(sent) as Answer, 'message', [sent]);
}

interface Answer {
  readonly choices: readonly { delta?: Piece; message?: Piece; finish_reason: string | null }[];
}

function readStream(sse: string): Said {
  const events = sse
    .trim()
    .split('\n\n')
    .map((event) => event.slice('data: '.length))
    .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as unknown)));
  const none: Said = {
    text: '',
    calls: [],
    customCalls: [],
    functionCall: undefined,
    finish: undefined,
    events,
  };
  return events
    .filter((event) => event !== '[DONE]')
    .map((event) => readPiece(event as Answer, 'delta', events))
    .reduce(join, none);
}

function readPiece({ choices }: Answer, key: 'delta' | 'message', events: readonly unknown[]): Said {
  const [choice] = choices;
  const piece = choice?.[key] ?? {};
  const calls = piece.tool_calls ?? [];
  return {
    text: piece.content ?? '',
    calls: calls.flatMap(({ function: called }) => (called ? { name: '', ...called } : [])),
    customCalls: calls.flatMap(({ custom }) => custom ?? []),
    functionCall: piece.function_call && { name: '', ...piece.function_call },
    finish: choice?.finish_reason ?? undefined,
    events,
  };
}

/** Tests here have one call at most: what follows a call without a name is more of its arguments. */
function join(before: Said, next: Said): Said {
  const [last] = before.calls;
  const more = next.calls.filter(({ name }) => name === '');
  const calls =
    last && more.length > 0
      ? [{ ...last, arguments: more.reduce((text, piece) => text + piece.arguments, last.arguments) }]
      : [...before.calls, ...next.calls];
  const { functionCall: legacy } = before;
  return {
    text: before.text + next.text,
    calls,
    customCalls: [...before.customCalls, ...next.customCalls],
    functionCall: legacy
      ? { ...legacy, arguments: legacy.arguments + (next.functionCall?.arguments ?? '') }
      : next.functionCall,
    finish: next.finish ?? before.finish,
    events: before.events,
  };
}
