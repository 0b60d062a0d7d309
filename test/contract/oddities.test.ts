/** What servers of OpenAI's format send beyond OpenAI's schema: none of it reaches a client. */

import { describe, expect, it } from '@jest/globals';
import { failing, openaiChunk, sse, type Script } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { expectAnswer, expectStream } from './answers.ts';
import { vllmChunk } from './sayings.ts';
import { expectOrder } from './stream.ts';

const setup = createSetup();
const CHAT = 'POST /v1/chat/completions';

const streaming =
  (...events: readonly string[]): Script =>
  ({ res }) => {
    res.setHeader('content-type', 'text/event-stream; charset=utf-8');
    res.end(events.join(''));
  };

const answering = (message: object, choice: object = {}, more: object = {}): Script =>
  failing(200, {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_755_770_400,
    model: 'up',
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...choice }],
    ...more,
  });

const usageEvent = (usage: object): string =>
  sse({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'up', choices: [], usage });

/** The end of a stream as OpenAI sends it. */
const END = openaiChunk({}, 'stop') + sse('[DONE]');

const STREAMS: Readonly<Record<string, readonly string[]>> = {
  'no role at all': [openaiChunk({ content: 'x' }), END],
  'the role on every chunk': [
    openaiChunk({ role: 'assistant', content: 'x' }),
    openaiChunk({ role: 'assistant', content: 'y' }),
    END,
  ],
  'keys of no standard': [
    openaiChunk({ content: 'x', vendor: 1 }, null, { timings: { n: 1 }, obfuscation: 'aBc', provider: 'P' }),
    END,
  ],
  'null or empty finish reasons, logprobs and fingerprints': [
    vllmChunk({ content: 'x' }, { finish_reason: '' }),
    vllmChunk({ content: null }),
    vllmChunk({ content: '' }, { finish_reason: 'stop', stop_reason: '</s>', matched_stop: 2 }),
    sse('[DONE]'),
  ],
  'a finish reason that OpenAI does not know': [
    openaiChunk({ content: 'x' }),
    openaiChunk({}, 'eos_token'),
    sse('[DONE]'),
  ],
  'the last text together with the finish reason': [openaiChunk({ content: 'x' }, 'stop'), sse('[DONE]')],
  'an answer without an id and a time': [
    sse({ choices: [{ index: 0, delta: { content: 'x' } }] }),
    sse({ id: null, created: null, choices: [{ delta: {}, finish_reason: 'stop' }] }),
    sse('[DONE]'),
  ],
  'ids and times that change': [
    openaiChunk({ content: 'x' }, null, { id: 'a', created: 1 }),
    openaiChunk({ content: 'y' }, null, { id: 'b', created: 2, system_fingerprint: 'fp_2' }),
    END,
  ],
  'usage on every chunk': [
    openaiChunk({ content: 'x' }, null, {
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    }),
    END,
  ],
  'usage details of null': [
    openaiChunk({ content: 'x' }),
    openaiChunk({}, 'stop'),
    usageEvent({ prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: null }),
    sse('[DONE]'),
  ],
  'usage details of a vendor': [
    openaiChunk({ content: 'x' }),
    openaiChunk({}, 'stop'),
    usageEvent({
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 99,
      prompt_tokens_details: { cached_tokens: 1, cache_write_tokens: 0, note: null },
      cost: 0.1,
    }),
    sse('[DONE]'),
  ],
  'calls that are all numbered 0, or not at all': [
    openaiChunk({
      tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    }),
    openaiChunk({
      tool_calls: [{ index: 0, id: 'b', type: 'function', function: { name: 'g', arguments: '{' } }],
    }),
    openaiChunk({ tool_calls: [{ function: { arguments: '}' } }] }),
    openaiChunk({ tool_calls: [{ function: { name: 'h', arguments: { a: 1 } }, id: 'c' }] }),
    END,
  ],
  'a call in the older form': [
    openaiChunk({ role: 'assistant', content: null, function_call: { name: 'f', arguments: '' } }),
    openaiChunk({ function_call: { arguments: '{}' } }),
    openaiChunk({}, 'function_call'),
    sse('[DONE]'),
  ],
  'a refusal': [
    openaiChunk({ role: 'assistant', content: '', refusal: null }),
    openaiChunk({ refusal: 'No.' }),
    END,
  ],
  'log probabilities that nobody asked for': [
    openaiChunk({ content: 'x' }).replace(
      '"logprobs":null',
      '"logprobs":{"content":[{"token":"x","logprob":-1}]}',
    ),
    END,
  ],
  'no [DONE] after the finish reason': [openaiChunk({ content: 'x' }), openaiChunk({}, 'stop')],
  'CRLF, comments and event names': [
    ': ping\r\n\r\n',
    `event: message\r\n${openaiChunk({ content: 'x' }).trimEnd()}\r\n\r\n`,
    END,
  ],
};

describe('a stream of a server that sends', () => {
  it.each(Object.entries(STREAMS))('%s is put right', async (_name, events) => {
    const backend = await setup.backend(streaming(...events));
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
    const plain = await expectStream(CHAT, await gateway.chat({ stream: true }));
    expectOrder(plain, false);
    expect(plain.error).toBeUndefined();
    const body = { stream: true, stream_options: { include_usage: true } };
    const counted = await expectStream(CHAT, await gateway.chat(body));
    const hasCounts = events.join('').includes('prompt_tokens');
    if (hasCounts) expectOrder(counted, true);
    else expect(counted.chunks.every(({ usage }) => usage === null)).toBe(true);
  });
});

const RESULTS: Readonly<Record<string, Script>> = {
  'only what is needed': answering({ content: 'x' }, {}, { id: undefined, created: undefined }),
  'nulls for everything': answering(
    { content: 'x', refusal: null, annotations: null, audio: null, function_call: null, tool_calls: null },
    { logprobs: null, stop_reason: null },
    { system_fingerprint: null, service_tier: null, usage: null },
  ),
  'usage without total and with null details': answering(
    { content: 'x' },
    {},
    {
      usage: { prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: null, extra: 'x' },
    },
  ),
  'an empty list of calls beside text': answering({ content: 'x', tool_calls: [] }),
  'calls without id, type or arguments': answering(
    {
      content: '',
      tool_calls: [
        { function: { name: 'f', arguments: null } },
        { id: '', function: { name: 'g', arguments: { a: 1 } } },
      ],
    },
    { finish_reason: 'stop' },
  ),
  'a call in the older form': answering({ content: null, function_call: { name: 'f', arguments: '{}' } }),
  'a finish reason that OpenAI does not know': answering({ content: 'x' }, { finish_reason: 'eos' }),
  'a refusal': answering({ content: null, refusal: 'No.' }),
  'keys of no standard': answering(
    { content: 'x', vendor: 1 },
    { matched_stop: 1 },
    { timings: {}, provider: 'P' },
  ),
  'a choice without an index': answering({ content: 'x' }, { index: undefined }),
};

describe('an answer in one piece of a server that sends', () => {
  it.each(Object.entries(RESULTS))('%s is put right', async (_name, script) => {
    const backend = await setup.backend(script);
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
    expect(await expectAnswer(CHAT, await gateway.chat())).toMatchObject({
      status: 200,
      body: { model: 'm' },
    });
  });
});
