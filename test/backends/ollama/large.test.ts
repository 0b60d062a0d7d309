/** Records and errors that somebody made as large, and as slow to read, as they may be. */

import { describe, expect, it } from '@jest/globals';
import { createChatDecoder, ollama } from '../../../src/backends/ollama/index.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { ByteText, ChatSink, ToolCall } from '../../../src/core/stream.ts';

const LIMITS = { maxRecordBytes: 1 << 24, maxResponseBytes: 1 << 24 };
/** What is quadratic takes minutes here, and what is not a few of these. */
const MANY_MS = 2000;

function decode(record: object): { calls: ToolCall[]; error: unknown; tookMs: number } {
  const calls: ToolCall[] = [];
  const sink: ChatSink = {
    text: () => undefined,
    reasoning: () => undefined,
    toolCalls: (given) => void calls.push(...given),
    toolArguments: () => undefined,
    finish: () => undefined,
  };
  const decoder = createChatDecoder(sink, { body: { model: 'm', messages: [] }, json: '{}' }, LIMITS);
  const line = `${JSON.stringify(record)}\n` as ByteText;
  const startedMs = performance.now();
  let error: unknown;
  try {
    decoder.push(line);
  } catch (thrown) {
    error = thrown;
  }
  return { calls, error, tookMs: performance.now() - startedMs };
}

it('ten thousand calls in one record are told, each with its own arguments', () => {
  const count = 10_000;
  const items = Array.from({ length: count }, (_, i) => ({ function: { name: 'f', arguments: { i } } }));
  const { calls, tookMs } = decode({
    message: { role: 'assistant', content: '', tool_calls: items },
    done: false,
  });
  expect(calls.map((call) => call.arguments)).toEqual(items.map((_, i) => `{"i":${String(i)}}`));
  expect(tookMs).toBeLessThan(MANY_MS);
});

describe.each([
  ['of schemes', 'ha-'.repeat(100_000)],
  ['of addresses', `[${':'.repeat(200_000)}`],
  ['of what may be refused', 'think value '.repeat(25_000)],
  ['of wrong options', 'option " option "'.repeat(20_000)],
  ['of counts', '(1 tokens '.repeat(30_000)],
])('an error that is full of the beginnings %s', (_, text) => {
  it('is told in no time when it is a record', () => {
    const { error, tookMs } = decode({ error: text });
    expect(error).toMatchObject({ reason: 'upstream_error' });
    expect((error as GatewayError).message.length).toBeLessThanOrEqual(2000);
    expect(tookMs).toBeLessThan(MANY_MS);
  });

  it.each([400, 500])('is told in no time when it is a body of status %d', (status) => {
    const startedMs = performance.now();
    for (const said of [text, `exceed_context_size_error ${text}`]) {
      const body = JSON.stringify({ error: said }) as ByteText;
      expect(ollama.failure({ status, headers: {}, body, model: 'm' })).toBeInstanceOf(GatewayError);
    }
    expect(performance.now() - startedMs).toBeLessThan(MANY_MS);
  });
});

it('an error that ends with a document of llama-server is read, however long that is', () => {
  const document = {
    error: {
      code: 400,
      message: `exceeds the available context size ${'x'.repeat(9000)}`,
      n_prompt_tokens: 9,
      n_ctx: 4,
    },
  };
  const body = JSON.stringify({ error: JSON.stringify(document) }) as ByteText;
  expect(ollama.failure({ status: 400, headers: {}, body, model: 'm' })).toMatchObject({
    reason: 'context_length_exceeded',
    message: expect.stringContaining('is 4 tokens'),
  });
});
