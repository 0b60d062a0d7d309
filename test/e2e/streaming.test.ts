/** What a client sees of an answer, streamed and not, from every kind of backend. */

import { describe, expect, it } from '@jest/globals';
import {
  ollamaDone,
  ollamaToken,
  openaiChunk,
  saying,
  sse,
  type Script,
} from '../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { openStream, readStream } from '../support/sse.ts';

const setup = createSetup();

describe.each(KINDS_OF_STREAM)('an answer of %s', (_, variable) => {
  it('is streamed with the headers that keep proxies from holding it back', async () => {
    const backend = await setup.backend(saying('Hel', 'lo'));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const response = await gateway.chat({ stream: true });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': expect.stringMatching(/^req_/),
    });
    const stream = await readStream(response);
    expect(stream).toMatchObject({ text: 'Hello', isDone: true, error: undefined });
  });

  it('has one id, one role and one finish, and usage only when it was asked for', async () => {
    const backend = await setup.backend(saying('a', 'b', 'c'));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const plain = await readStream(await gateway.chat({ stream: true }));
    const counted = await readStream(
      await gateway.chat({ stream: true, stream_options: { include_usage: true } }),
    );
    for (const { events } of [plain, counted]) {
      const chunks = events.slice(0, -1) as Chunk[];
      expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
      expect(new Set(chunks.map(({ model }) => model))).toEqual(new Set(['m']));
      expect(chunks.filter(({ choices }) => choices[0]?.delta.role).length).toBe(1);
      expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['stop']);
    }
    expect(plain.events.some((event) => event !== '[DONE]' && 'usage' in (event as object))).toBe(false);
    const usages = (counted.events.slice(0, -1) as Chunk[]).map(({ usage }) => usage);
    expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true);
    expect(usages.at(-1)).toMatchObject({ prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 });
    expect((counted.events.at(-2) as Chunk).choices).toEqual([]);
  });

  it('reaches the client token by token, each before the next one exists', async () => {
    const backend = await setup.backend(() => undefined);
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const token = (text: string): string =>
      variable === 'OLLAMA_BASE_URL' ? ollamaToken(text) : openaiChunk({ content: text });
    let proceed: (() => void) | undefined;
    backend.script(async ({ write, end }) => {
      for (const text of ['one', 'two', 'three']) {
        await write(token(text));
        await new Promise<void>((resolve) => {
          proceed = resolve;
        });
      }
      end(variable === 'OLLAMA_BASE_URL' ? ollamaDone() : openaiChunk({}, 'stop') + sse('[DONE]'));
    });
    const stream = openStream(await gateway.chat({ stream: true }));
    for (const text of ['one', 'two', 'three']) {
      await stream.until(`"${text}"`);
      proceed?.();
    }
    expect(await stream.until('[DONE]')).toContain('"finish_reason":"stop"');
  });

  it('comes in one piece when no stream was asked for', async () => {
    const backend = await setup.backend(saying('Hel', 'lo'));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const response = await gateway.chat();
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toMatchObject({
      object: 'chat.completion',
      model: 'm',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'Hello', refusal: null }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    });
  });

  it('carries thinking under both of its names', async () => {
    const thinking: Script =
      variable === 'OLLAMA_BASE_URL'
        ? ({ end }) => {
            end(
              ollamaToken('', { thinking: 'Hm' }) +
                ollamaToken('', { thinking: 'm' }) +
                ollamaToken('42') +
                ollamaDone(),
            );
          }
        : ({ end }) => {
            end(
              openaiChunk({ role: 'assistant', content: '' }) +
                openaiChunk({ reasoning_content: 'Hm' }) +
                openaiChunk({ reasoning_content: 'm' }) +
                openaiChunk({ content: '42' }) +
                openaiChunk({}, 'stop') +
                sse('[DONE]'),
            );
          };
    const backend = await setup.backend(thinking);
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const { events, text } = await readStream(await gateway.chat({ stream: true }));
    const deltas = (events.slice(0, -1) as Chunk[]).map(({ choices }) => choices[0]?.delta ?? {});
    expect(deltas.map(({ reasoning }) => reasoning ?? '').join('')).toBe('Hmm');
    expect(deltas.map(({ reasoning_content: thought }) => thought ?? '').join('')).toBe('Hmm');
    expect(text).toBe('42');
  });

  it('carries several tool calls, each under its own number', async () => {
    const calls: Script =
      variable === 'OLLAMA_BASE_URL'
        ? ({ end }) => {
            const call = (name: string, args: object): object => ({
              function: { index: 0, name, arguments: args },
            });
            end(
              ollamaToken('', { tool_calls: [call('f', { a: 1 })] }) +
                ollamaToken('', { tool_calls: [call('g', { b: 2 })] }) +
                ollamaDone(),
            );
          }
        : ({ end }) => {
            const piece = (id: string, name: string, args: string): string =>
              openaiChunk({
                tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: args } }],
              });
            end(
              piece('x', 'f', '{"a":') +
                openaiChunk({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] }) +
                piece('y', 'g', '{"b":2}') +
                openaiChunk({}, 'stop') +
                sse('[DONE]'),
            );
          };
    const backend = await setup.backend(calls);
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const { events } = await readStream(await gateway.chat({ stream: true, tools: [TOOL('f'), TOOL('g')] }));
    const chunks = events.slice(0, -1) as Chunk[];
    const merged = new Map<number, { name: string; args: string; ids: string[] }>();
    for (const piece of chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])) {
      const call = merged.get(piece.index) ?? { name: '', args: '', ids: [] };
      call.name += piece.function.name ?? '';
      call.args += piece.function.arguments;
      if (piece.id) call.ids.push(piece.id);
      merged.set(piece.index, call);
    }
    expect(
      [...merged.values()].map(({ name, args }) => ({ name, args: JSON.parse(args) as unknown })),
    ).toEqual([
      { name: 'f', args: { a: 1 } },
      { name: 'g', args: { b: 2 } },
    ]);
    expect(new Set([...merged.values()].flatMap(({ ids }) => ids)).size).toBe(2);
    expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['tool_calls']);
  });

  it('keeps every character of every script', async () => {
    const words = ['Grüße ', '你好', '👩‍👩‍👧 ', 'שלום', ' "quoted" \\ \n\t </script>'];
    const backend = await setup.backend(saying(...words));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    expect((await readStream(await gateway.chat({ stream: true }))).text).toBe(words.join(''));
    const whole = (await (await gateway.chat()).json()) as { choices: { message: { content: string } }[] };
    expect(whole.choices[0]?.message.content).toBe(words.join(''));
  });
});

it('asks an OpenAI-compatible backend for usage also when its client does not', async () => {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
  await readStream(await gateway.chat({ stream: true }));
  expect(backend.calls[0]?.body.stream_options).toEqual({ include_usage: true });
  expect(
    await gateway.metric('ai_tokens_processed_total', { type: 'input', model: 'm', backend: 'vllm' }),
  ).toBe(5);
});

it('always asks Ollama for a stream that does not cut the prompt', async () => {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  await gateway.chat();
  expect(backend.calls[0]).toMatchObject({ path: '/api/chat', body: { stream: true, truncate: false } });
});

it('sends nothing of the client to the backend but the request itself', async () => {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({
    file: `backends: [{ name: b, kind: vllm, url: "${backend.url}", apiKey: of-the-backend, headers: { x-team: blue } }]`,
  });
  await gateway.chat(
    {},
    {
      headers: {
        'content-type': 'application/json',
        authorization: 'Bearer of-the-client',
        cookie: 'a=b',
        origin: 'http://evil.example',
        'x-forwarded-host': 'evil.example',
      },
    },
  );
  const headers = backend.calls[0]?.headers ?? {};
  expect(headers).toMatchObject({ authorization: 'Bearer of-the-backend', 'x-team': 'blue' });
  expect(headers.host).toBe(`127.0.0.1:${String(backend.port)}`);
  for (const name of ['cookie', 'origin', 'x-forwarded-host']) expect(headers).not.toHaveProperty(name);
});

const TOOL = (name: string): object => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: {} } },
});

interface Chunk {
  readonly id: string;
  readonly model: string;
  readonly usage?: unknown;
  readonly choices: readonly {
    readonly finish_reason: string | null;
    readonly delta: {
      readonly role?: string;
      readonly reasoning?: string;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly {
        readonly index: number;
        readonly id?: string;
        readonly function: { readonly name?: string; readonly arguments: string };
      }[];
    };
  }[];
}
