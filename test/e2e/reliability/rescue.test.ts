/** A backend dies in the middle of a text, and another one goes on with it (`streams.rescue`). */

import { describe, expect, it } from '@jest/globals';
import type { TestGateway } from '../../support/gateway.ts';
import { expectError } from '../../support/errors.ts';
import {
  saying,
  type Script,
  type ScriptedBackend,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { OLLAMA, VLLM, type Speech } from '../../support/speech.ts';
import { openStream, parseStream, type ReadStream } from '../../support/sse.ts';

const setup = createSetup();

/** Says these words and dies. */
function dyingAfter(speech: Speech, ...words: readonly string[]): Script {
  return async ({ write, socket }) => {
    for (const word of words) await write(speech.token(word));
    socket.end(); // no reset, which would overtake the words
  };
}

/** In order of preference. */
function fleetFile(...backends: readonly (readonly [Speech, ScriptedBackend])[]): string {
  const lines = backends.map(
    ([{ kind }, { url }], i) =>
      `  - { name: b${String(i + 1)}, kind: ${kind}, url: "${url}", weight: ${String(1000 ** (1 - i))} }`,
  );
  return `streams: { rescue: true }\nbackends:\n${lines.join('\n')}`;
}

const messagesOf = (call: ScriptedCall | undefined): unknown => call?.body.messages;

interface Event {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint?: string;
  readonly choices: readonly {
    readonly delta: { readonly role?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly completion_tokens: number; readonly total_tokens: number } | null;
}

/** It is one answer, as if one backend had told it. */
function expectOneAnswer({ events, isDone, error }: ReadStream): Event[] {
  expect({ isDone, error }).toEqual({ isDone: true, error: undefined });
  const chunks = events.slice(0, -1) as Event[];
  for (const key of ['id', 'created', 'model', 'system_fingerprint'] as const) {
    // Not every server has a fingerprint.
    expect(new Set(chunks.flatMap((chunk) => chunk[key] ?? [])).size).toBe(1);
  }
  const choices = chunks.flatMap((chunk) => chunk.choices);
  expect(choices.filter(({ delta }) => delta.role !== undefined)).toHaveLength(1);
  expect(choices.flatMap(({ finish_reason: reason }) => reason ?? [])).toEqual(['stop']);
  return chunks;
}

async function read(gateway: TestGateway, body: object = {}): Promise<ReadStream> {
  const response = await gateway.chat({ stream: true, ...body });
  expect(response.status).toBe(200);
  return parseStream(await openStream(response).rest());
}

const WAYS = [
  ['Ollama', 'vLLM', OLLAMA, VLLM],
  ['vLLM', 'Ollama', VLLM, OLLAMA],
  ['Ollama', 'Ollama', OLLAMA, OLLAMA],
  ['vLLM', 'vLLM', VLLM, VLLM],
] as const;

describe.each(WAYS)('a text of %s that %s goes on with', (_from, _to, from, to) => {
  const said = ['Once "upon" ', 'a time\n', 'ü 🦊 '];

  async function rescued(): Promise<{
    gateway: TestGateway;
    first: ScriptedBackend;
    second: ScriptedBackend;
  }> {
    const first = await setup.backend(dyingAfter(from, ...said));
    const second = await setup.backend(saying('there', ' was', ' one.'));
    return { gateway: await setup.gateway({ file: fleetFile([from, first], [to, second]) }), first, second };
  }

  it('is one stream, marked by a comment and counted', async () => {
    const { gateway, first, second } = await rescued();
    const stream = await read(gateway);
    expectOneAnswer(stream);
    expect(stream.text).toBe(`${said.join('')}there was one.`);
    expect(stream.comments.filter((comment) => comment.includes('rescue'))).toHaveLength(1);
    expect(await gateway.metric('ai_gateway_rescues_total')).toBe(1);
    expect(await gateway.metric('ai_gateway_streams_total', { status: 'completed' })).toBe(1);
    expect([first.calls.length, second.calls.length]).toEqual([1, 1]);
    expect(gateway.deps.pool.inFlight()).toBe(0);
  });

  it('is asked for with what was said as the beginning of the answer', async () => {
    const { gateway, second } = await rescued();
    await read(gateway);
    const [call] = second.calls;
    expect(messagesOf(call)).toEqual([
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: said.join('') },
    ]);
    const { continue_final_message: goesOn, add_generation_prompt: prompts } = call?.body ?? {};
    expect([goesOn, prompts]).toEqual(to === VLLM ? [true, false] : [undefined, undefined]);
  });

  it('has its usage counted as one answer', async () => {
    const { gateway } = await rescued();
    const chunks = expectOneAnswer(await read(gateway, { stream_options: { include_usage: true } }));
    // Three tokens of the first, three of the second, which counted the first three as prompt.
    const usage = chunks.at(-1)?.usage;
    expect(usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 6, total_tokens: 8 });
  });

  it.each(['max_tokens', 'max_completion_tokens'])('may not become longer than %s', async (limit) => {
    const { gateway, second } = await rescued();
    await read(gateway, { [limit]: 10 });
    const { body } = second.calls[0] ?? {};
    const options = body?.options as { num_predict?: number } | undefined;
    expect(to === OLLAMA ? options?.num_predict : body?.[limit]).toBe(7);
  });
});

describe('a text that broke off', () => {
  it('is told to be broken when rescue is off, which it is by default', async () => {
    const first = await setup.backend(dyingAfter(OLLAMA, 'part'));
    const second = await setup.backend(saying('never'));
    const file = fleetFile([OLLAMA, first], [OLLAMA, second]).replace('streams: { rescue: true }', '');
    const gateway = await setup.gateway({ file });
    expect(await read(gateway)).toMatchObject({
      text: 'part',
      isDone: false,
      error: { code: 'upstream_connection_error' },
    });
    expect(second.calls).toHaveLength(0);
  });

  it('is gone on with again when the second backend dies, too', async () => {
    const first = await setup.backend(dyingAfter(OLLAMA, 'one ', 'two '));
    const second = await setup.backend(dyingAfter(VLLM, 'three '));
    const third = await setup.backend(saying('four'));
    const gateway = await setup.gateway({
      file: fleetFile([OLLAMA, first], [VLLM, second], [OLLAMA, third]),
    });
    const stream = await read(gateway);
    expectOneAnswer(stream);
    expect(stream.text).toBe('one two three four');
    expect(messagesOf(third.calls[0])).toMatchObject([{}, { content: 'one two three ' }]);
    expect(await gateway.metric('ai_gateway_rescues_total')).toBe(2);
  });

  it('is an error at last, when nobody is left', async () => {
    const first = await setup.backend(dyingAfter(OLLAMA, 'one '));
    const second = await setup.backend(dyingAfter(OLLAMA, 'two '));
    const gateway = await setup.gateway({ file: fleetFile([OLLAMA, first], [OLLAMA, second]) });
    const stream = await read(gateway);
    expect(stream).toMatchObject({
      text: 'one two ',
      isDone: false,
      error: { code: 'upstream_connection_error' },
    });
    expect(stream.events.filter((event) => 'error' in (event as object))).toHaveLength(1);
    expect([first.calls.length, second.calls.length]).toEqual([1, 1]);
  });

  it('is an error when only backends are left that cannot go on with it', async () => {
    const first = await setup.backend(dyingAfter(OLLAMA, 'one '));
    const second = await setup.backend(saying('never'));
    const file = `
streams: { rescue: true }
backends:
  - { name: b1, kind: ollama, url: "${first.url}", weight: 1000 }
  - { name: b2, kind: openai, url: "${second.url}", weight: 0.001 }`;
    const stream = await read(await setup.gateway({ file }));
    expect(stream).toMatchObject({
      text: 'one ',
      isDone: false,
      error: { code: 'upstream_connection_error' },
    });
    expect(second.calls).toHaveLength(0);
  });

  it('is not gone on with when its backend refused what was asked for', async () => {
    const first = await setup.backend(async ({ write, end }) => {
      await write(OLLAMA.token('one '));
      end('{"error":"request (9000 tokens) exceeds the available context size (4096 tokens)"}\n');
    });
    const second = await setup.backend(saying('never'));
    const gateway = await setup.gateway({ file: fleetFile([OLLAMA, first], [OLLAMA, second]) });
    expect((await read(gateway)).error?.code).toBe('context_length_exceeded');
    expect(second.calls).toHaveLength(0);
  });

  it('is not gone on with for a client that left', async () => {
    const calls: ScriptedCall[] = [];
    const first = await setup.backend(async (call) => {
      await call.write(OLLAMA.token('one '));
      calls.push(call);
    });
    const second = await setup.backend(saying('never'));
    const gateway = await setup.gateway({ file: fleetFile([OLLAMA, first], [OLLAMA, second]) });
    const leaving = new AbortController();
    const open = openStream(await gateway.chat({ stream: true }, { signal: leaving.signal }));
    await open.until('one');
    leaving.abort();
    await eventually(() => gateway.active() === 0 && gateway.deps.pool.inFlight() === 0);
    expect(second.calls).toHaveLength(0);
  });

  it('is gone on with when its backend falls silent', async () => {
    const first = await setup.backend(({ write }) => write(OLLAMA.token('one ')));
    const second = await setup.backend(saying('two'));
    const gateway = await setup.gateway({
      file: fleetFile([OLLAMA, first], [OLLAMA, second]),
      env: { IDLE_TIMEOUT_MS: '1000' },
      isClockStopped: true,
    });
    const open = openStream(await gateway.chat({ stream: true }));
    await open.until('one');
    gateway.advance(1);
    gateway.advance(1000);
    const stream = parseStream(await open.rest());
    expectOneAnswer(stream);
    expect(stream.text).toBe('one two');
  });

  it('is fetched anew when only a heartbeat has gone out', async () => {
    const calls: ScriptedCall[] = [];
    const first = await setup.backend((call) => {
      call.res.flushHeaders();
      calls.push(call);
    });
    const second = await setup.backend(saying('all of it'));
    const gateway = await setup.gateway({
      file: fleetFile([OLLAMA, first], [OLLAMA, second]),
      env: { COMMIT_AFTER_MS: '1000' },
      isClockStopped: true,
    });
    const answer = gateway.chat({ stream: true });
    await eventually(() => calls.length === 1);
    gateway.advance(1000);
    const open = openStream(await answer);
    await open.until('keep-alive');
    calls[0]?.reset();
    const stream = parseStream(await open.rest());
    expectOneAnswer(stream);
    expect(stream.text).toBe('all of it');
    expect(messagesOf(second.calls[0])).toEqual([{ role: 'user', content: 'hi' }]);
  });
});

describe('an answer that is more than text is not gone on with', () => {
  const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object' } } };
  const schema = { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' } } };

  it.each([
    ['tools', { tools: [tool] }],
    ['functions', { functions: [tool.function] }],
    ['logprobs', { logprobs: true }],
    ['a schema', { response_format: schema }],
    ['JSON', { response_format: { type: 'json_object' }, messages: [{ role: 'user', content: 'JSON!' }] }],
    ['several answers', { n: 2 }],
    ['a beginning by the client', { messages: [{ role: 'assistant', content: 'Once' }] }],
  ])('(%s)', async (_, body) => {
    const first = await setup.backend(dyingAfter(VLLM, 'part'));
    const second = await setup.backend(saying('never'));
    const gateway = await setup.gateway({ file: fleetFile([VLLM, first], [VLLM, second]) });
    const stream = await read(gateway, body);
    expect(stream).toMatchObject({ isDone: false, error: { code: 'upstream_connection_error' } });
    expect(second.calls).toHaveLength(0);
    expect(await gateway.metric('ai_gateway_rescues_total')).toBe(0);
  });

  it.each([
    ['Ollama', OLLAMA, OLLAMA.token('').replace('"content":""', '"content":"","thinking":"hmm"')],
    ['vLLM', VLLM, VLLM.token('').replace('"content":""', '"reasoning_content":"hmm"')],
  ])('(thinking of %s)', async (_, speech, thought) => {
    const first = await setup.backend(async ({ write, socket }) => {
      await write(thought + speech.token('part'));
      socket.end();
    });
    const second = await setup.backend(saying('never'));
    const gateway = await setup.gateway({ file: fleetFile([speech, first], [speech, second]) });
    expect(await read(gateway)).toMatchObject({ text: 'part', isDone: false });
    expect(second.calls).toHaveLength(0);
  });

  it('(in one piece: it is fetched anew)', async () => {
    const first = await setup.backend(dyingAfter(OLLAMA, 'part'));
    const second = await setup.backend(saying('whole'));
    const gateway = await setup.gateway({ file: fleetFile([OLLAMA, first], [OLLAMA, second]) });
    expect(await (await gateway.chat()).json()).toMatchObject({
      choices: [{ message: { content: 'whole' } }],
    });
    expect(messagesOf(second.calls[0])).toEqual([{ role: 'user', content: 'hi' }]);
  });
});

it('a rescue takes from the retry budget', async () => {
  const first = await setup.backend(dyingAfter(OLLAMA, 'part'));
  const second = await setup.backend(saying('never'));
  const gateway = await setup.gateway({
    file: fleetFile([OLLAMA, first], [OLLAMA, second]),
    env: { RETRY_BUDGET_RATIO: '0', RETRY_BUDGET_MIN_PER_SECOND: '0' },
  });
  expect(await read(gateway)).toMatchObject({ text: 'part', isDone: false });
  expect(await gateway.metric('ai_gateway_retries_total', { result: 'refused' })).toBe(1);
  first.script(({ reset }) => reset());
  expect((await expectError(await gateway.chat({ stream: true }))).status).toBe(502);
});
