/** The same conversation with every kind of backend: the same text, thinking, calls, finish and usage. */

import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { KINDS, type KindName } from '../../src/core/fleet.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { proves } from '../compatibility/proves.ts';
import { ollamaDone, ollamaToken, sse, type Script } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();

const CALLS = [
  { name: 'get_weather', arguments: { city: 'Köln' } },
  { name: 'get_weather', arguments: { city: '東京' } },
];
const WANTED = {
  thinking: 'Two cities. ',
  text: 'Let me look.',
  calls: CALLS.map(({ name, arguments: given }) => ({ name, arguments: JSON.stringify(given) })),
  finish: 'tool_calls',
  usage: [12, 34, 46],
};

const ollama: Script = async (call) => {
  await call.write(ollamaToken('', { thinking: WANTED.thinking }));
  for (const word of ['Let me', ' look.']) await call.write(ollamaToken(word));
  for (const called of CALLS) await call.write(ollamaToken('', { tool_calls: [{ function: called }] }));
  call.end(ollamaDone({ prompt_eval_count: 12, eval_count: 34 }));
};

/** How servers of OpenAI's format differ in saying the same. */
interface Dialect {
  readonly thinkingKey: 'reasoning' | 'reasoning_content';
  readonly first: JsonObject;
  /** In every delta after the first. */
  readonly always?: JsonObject;
  /** What the server gives as the reason when tools were called. */
  readonly finish: string;
  readonly hasIndexes: boolean;
  readonly top?: JsonObject;
}

const DIALECTS: Readonly<Record<Exclude<KindName, 'ollama'>, Dialect>> = {
  openai: {
    thinkingKey: 'reasoning_content',
    first: { role: 'assistant', content: '', refusal: null },
    finish: 'tool_calls',
    hasIndexes: true,
    top: { service_tier: 'default', obfuscation: 'xyz' },
  },
  vllm: {
    thinkingKey: 'reasoning',
    first: { role: 'assistant', content: '' },
    finish: 'tool_calls',
    hasIndexes: true,
    top: { prompt_token_ids: null },
  },
  llamacpp: {
    thinkingKey: 'reasoning_content',
    first: { role: 'assistant', content: null },
    finish: 'tool_calls',
    hasIndexes: true,
    top: { timings: { prompt_n: 1 } },
  },
  lmstudio: {
    thinkingKey: 'reasoning',
    first: { role: 'assistant' },
    always: { role: 'assistant' },
    finish: 'stop',
    hasIndexes: false,
  },
};

const USAGE = { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 };

function speaking({ thinkingKey, first, always, finish, hasIndexes, top }: Dialect): Script {
  const calls = WANTED.calls.map((called, i) => ({
    ...(hasIndexes && { index: i }),
    id: `call-${String(i)}`,
    type: 'function',
    function: called,
  }));
  return (call) => {
    const head = { id: 'chatcmpl-up', created: 1700000000, model: 'up', ...top };
    if (call.body.stream !== true) {
      const message = {
        role: 'assistant',
        content: WANTED.text,
        [thinkingKey]: WANTED.thinking,
        tool_calls: calls,
      };
      const choices = [{ index: 0, message, finish_reason: finish }];
      const body = { ...head, object: 'chat.completion', choices, usage: USAGE };
      call.res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
      return;
    }
    const chunk = (delta: object, reason: string | null = null): string =>
      sse({
        ...head,
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta, finish_reason: reason }],
      });
    const deltas = [
      { [thinkingKey]: WANTED.thinking },
      { content: 'Let me' },
      { content: ' look.' },
      ...calls.map((called) => ({ tool_calls: [called] })),
    ].map((delta) => chunk({ ...always, ...delta }));
    call.res.setHeader('content-type', 'text/event-stream');
    const usage = sse({ ...head, object: 'chat.completion.chunk', choices: [], usage: USAGE });
    call.end([chunk(first), ...deltas, chunk({}, finish), usage, sse('[DONE]')].join(''));
  };
}

const ASKED: OpenAI.ChatCompletionCreateParams = {
  model: 'm',
  messages: [{ role: 'user', content: 'What is the weather in Köln and 東京?' }],
  tools: [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object' } } }],
};

describe.each(KINDS)('%s', (kind) => {
  async function createClient(): Promise<OpenAI> {
    const backend = await setup.backend(kind === 'ollama' ? ollama : speaking(DIALECTS[kind]));
    const { url } = await setup.gateway({
      file: `backends: [{ name: b, kind: ${kind}, url: "${backend.url}" }]`,
    });
    return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'x', maxRetries: 0 });
  }

  it('answers in one piece', async () => {
    const client = await createClient();
    expect(told(await client.chat.completions.create({ ...ASKED, stream: false }))).toEqual(WANTED);
    proves('chat', kind, 'yes');
  });

  it('streams', async () => {
    const client = await createClient();
    const stream = client.chat.completions.stream({
      ...ASKED,
      stream: true,
      stream_options: { include_usage: true },
    });
    let thinking = '';
    stream.on('chunk', ({ choices }) => {
      thinking += (choices[0]?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? '';
    });
    const final = await stream.finalChatCompletion();
    expect({ ...told(final), thinking }).toEqual(WANTED);
    proves('stream', kind, 'yes');
  });
});

function told({ choices, usage }: OpenAI.ChatCompletion): typeof WANTED {
  const [choice] = choices;
  const message = choice?.message as OpenAI.ChatCompletionMessage & { reasoning_content?: string };
  return {
    thinking: message.reasoning_content ?? '',
    text: message.content ?? '',
    calls: (message.tool_calls ?? []).flatMap((call) =>
      call.type === 'function' ? { name: call.function.name, arguments: call.function.arguments } : [],
    ),
    finish: String(choice?.finish_reason),
    usage: [usage?.prompt_tokens ?? 0, usage?.completion_tokens ?? 0, usage?.total_tokens ?? 0],
  };
}
