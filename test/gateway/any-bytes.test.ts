/** Whatever a backend sends, the client gets a stream that is well-formed and ends once. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { kinds } from '../../src/backends/index.ts';
import { GatewayError, toGatewayError } from '../../src/core/errors.ts';
import type { Exchange, Relay } from '../../src/core/exchange.ts';
import type { Surface } from '../../src/core/operation.ts';
import type { ByteText, Owned } from '../../src/core/stream.ts';
import type { UpstreamBody } from '../../src/core/upstream.ts';
import { pump } from '../../src/gateway/pump.ts';
import { openaiChat } from '../../src/surfaces/openai-chat/index.ts';
import { openaiCompletions } from '../../src/surfaces/openai-completions/index.ts';
import { readEvents } from '../contract/stream.ts';
import { backendOf, targetOf } from '../support/fleet.ts';
import { mangledAnswer } from '../support/mangled.ts';

const RUNS = 600;

const CONTEXT = {
  wallClock: () => 1_700_000_000_000,
  newId: () => '0123456789abcdef0123456789abcdef',
  reasoningKeys: 'both',
  isStrict: false,
  isRescueOn: false,
  limits: { maxRecordBytes: 4096, maxResponseBytes: 1 << 20, maxChoices: 8 },
} as const;

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };
const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];

/** What is asked changes what is read. */
const REQUESTS: readonly (readonly [string, Surface, object])[] = [
  ['a chat', openaiChat, CHAT],
  [
    'a chat with usage and logprobs',
    openaiChat,
    { ...CHAT, logprobs: true, stream_options: { include_usage: true } },
  ],
  ['a chat with tools', openaiChat, { ...CHAT, tools: TOOLS, tool_choice: 'required' }],
  [
    'a completion',
    openaiCompletions,
    { model: 'm', prompt: 'Once', stream_options: { include_usage: true } },
  ],
];

/** All that reaches the client, and the failure that came too early to be told in the stream. */
async function answer(
  surface: Surface,
  body: object,
  kind: 'ollama' | 'vllm',
  pieces: readonly ByteText[],
  isReset: boolean,
  isStream: boolean,
): Promise<{ sent: string; early: GatewayError | undefined }> {
  let sent = '';
  const relay: Owned<Relay> = {
    isCommitted: false,
    closedBy: undefined,
    onDrain: undefined,
    onClose: undefined,
    header: () => undefined,
    write(bytes) {
      relay.isCommitted = true;
      sent += bytes;
      return true;
    },
    comment: () => undefined,
    end(bytes) {
      relay.isCommitted = true;
      sent += bytes;
    },
    cut: () => undefined,
    destroy: () => undefined,
  };
  const operation = surface.toOperation(JSON.stringify({ ...body, stream: isStream }), CONTEXT);
  const exchange = { relay, operation } as unknown as Exchange;
  const converter = operation.createConverter(kinds[kind], targetOf(backendOf('b', { kind })));
  const watched = {
    hasRecord: false,
    writes: 0,
    isAnswering: false,
    isPaused: false,
    isSending: false,
  };
  const milestones = { firstTokenMs: undefined, firstWriteMs: undefined };
  const lease = { answered: () => undefined };
  try {
    const body = bodyOf(pieces, isReset);
    await pump({ body, converter, exchange, watched, milestones, lease, now: () => 0 });
    return { sent, early: undefined };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (!relay.isCommitted) return { sent, early: error };
    return { sent: sent + surface.errorEvent(error), early: undefined };
  }
}

function bodyOf(pieces: readonly ByteText[], isReset: boolean): UpstreamBody {
  let isDiscarded = false;
  return {
    read(reader) {
      for (const piece of pieces) if (!isDiscarded) reader.chunk(piece);
      if (isDiscarded) return;
      if (isReset) reader.error(new GatewayError('upstream_connection_error', { message: 'reset' }));
      else reader.end();
    },
    pause: () => undefined,
    resume: () => undefined,
    discard() {
      isDiscarded = true;
    },
  };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const toText = (bytes: string): string => strictUtf8.decode(Buffer.from(bytes, 'latin1'));

/** One end and no other, after which nothing follows. */
function expectStream(sent: string): void {
  const { events, error, isDone } = readEvents(toText(sent));
  const errors = events.filter((event) => typeof event === 'object' && event !== null && 'error' in event);
  const dones = events.filter((event) => event === '[DONE]');
  expect(errors.length + dones.length).toBe(1);
  expect(events.at(-1)).toEqual(isDone ? '[DONE]' : { error });
}

/** A fault of the gateway is never the answer to what a backend sent. */
function expectFailure(error: GatewayError | undefined): void {
  expect(error?.reason).not.toBe('internal_error');
}

describe.each([
  ['Ollama', 'ollama', mangledAnswer('ollama')],
  ['vLLM', 'vllm', mangledAnswer('openai')],
] as const)('any bytes of %s', (_, kind, bytes) => {
  it.each(REQUESTS)('become a stream that ends once (%s)', async (_what, surface, body) => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.boolean(), async (pieces, isReset) => {
        const { sent, early } = await answer(surface, body, kind, pieces, isReset, true);
        expectFailure(early);
        if (early) expect(sent).toBe('');
        else expectStream(sent);
      }),
      { numRuns: RUNS },
    );
  });

  it.each(REQUESTS)('become an answer or an error (%s, in one piece)', async (_what, surface, body) => {
    const whole = { ...body, stream_options: null };
    await fc.assert(
      fc.asyncProperty(bytes, fc.boolean(), async (pieces, isReset) => {
        const { sent, early } = await answer(surface, whole, kind, pieces, isReset, false);
        expectFailure(early);
        if (early) expect(sent).toBe('');
        else expect(JSON.parse(toText(sent))).toHaveProperty('choices');
      }),
      { numRuns: RUNS / 3 },
    );
  });
});
