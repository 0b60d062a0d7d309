/**
 * Streams as compatible servers send them, odd shapes included, with what the client must see.
 * Payloads of `in` are sent as events; a string is sent as it stands, and so is a whole event.
 */

import { CALL_RECORDINGS } from './call-recordings.ts';

export interface Recording {
  readonly title: string;
  readonly includeUsage?: boolean;
  readonly reasoningKeys?: 'none' | 'both';
  readonly firstCallOnly?: boolean;
  readonly logprobs?: boolean;
  /** That were asked for; 1 unless given. */
  readonly choices?: number;
  readonly in: readonly (object | string)[];
  /** Deltas with finish reasons in order; usage, '[DONE]' and an error's code as they come. */
  readonly out: readonly unknown[];
}

export const vllm = (delta: object, finish: string | null = null, more: object = {}): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1700000000,
  model: 'served',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, token_ids: null, stop_reason: null }],
  prompt_token_ids: null,
  system_fingerprint: null,
  ...more,
});

/** As vLLM, for one of several answers. */
const choice = (index: number, delta: object, finish: string | null = null, more: object = {}): object =>
  vllm(delta, finish, { choices: [{ index, delta, finish_reason: finish, ...more }] });
const entry = (token: string): object => ({ token, logprob: -1, bytes: null, top_logprobs: [] });
const logprobsOf = (token: string): object => ({ content: [entry(token)], refusal: null });

let second = 1700000000;
/** `created` moves on, timings come along. */
const llamacpp = (delta: object, finish: string | null = null, more: object = {}): object => ({
  choices: [{ finish_reason: finish, index: 0, delta }],
  created: second++,
  id: 'chatcmpl-2',
  model: 'gguf',
  system_fingerprint: 'b6000-abc',
  object: 'chat.completion.chunk',
  ...more,
});

export const ROLE = { delta: { role: 'assistant', content: '' }, finish: null };
export const say = (content: string): object => ({ delta: { content }, finish: null });
export const end = (finish: string): object => ({ delta: {}, finish });

export const RECORDINGS: readonly Recording[] = [
  ...CALL_RECORDINGS,
  {
    title: 'vLLM: nulls, extra keys, role first',
    in: [
      vllm({ role: 'assistant', content: '' }),
      vllm({ content: 'Hel', tool_calls: [] }),
      vllm({ content: 'lo', tool_calls: [] }),
      vllm({ content: ' you', tool_calls: [] }),
      vllm({ content: '' }, 'stop'),
      '[DONE]',
    ],
    out: [ROLE, say('Hel'), say('lo'), say(' you'), end('stop'), '[DONE]'],
  },
  {
    title: 'vLLM: usage in every chunk, wanted once',
    includeUsage: true,
    in: [
      vllm({ role: 'assistant', content: '' }, null, {
        usage: { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 },
      }),
      vllm({ content: 'a' }, null, { usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 } }),
      vllm({ content: 'b' }, 'length', {
        usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
      }),
      {
        id: 'chatcmpl-1',
        choices: [],
        usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: null },
      },
      '[DONE]',
    ],
    out: [ROLE, say('a'), say('b'), end('length'), { usage: [3, 2, 5] }, '[DONE]'],
  },
  {
    title: 'vLLM: a tool call whose name comes before its arguments',
    in: [
      vllm({ role: 'assistant', content: '' }),
      vllm({ tool_calls: [{ index: 0, id: 'chatcmpl-tool-1', type: 'function', function: { name: 'f' } }] }),
      vllm({ tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }),
      vllm({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
      vllm({}, 'tool_calls'),
      '[DONE]',
    ],
    out: [
      { delta: { role: 'assistant', content: null }, finish: null },
      {
        delta: {
          tool_calls: [
            { index: 0, id: 'chatcmpl-tool-1', type: 'function', function: { name: 'f', arguments: '' } },
          ],
        },
        finish: null,
      },
      { delta: { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] }, finish: null },
      { delta: { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }, finish: null },
      end('tool_calls'),
      '[DONE]',
    ],
  },
  {
    title: 'two calls that both claim number 0, one without an id, finished with stop',
    in: [
      vllm({ role: 'assistant', content: null }),
      vllm({
        tool_calls: [{ index: 0, id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
      }),
      vllm({
        tool_calls: [{ index: 0, id: 'y', type: 'function', function: { name: 'g', arguments: { b: 2 } } }],
      }),
      vllm({ tool_calls: [{ index: 1, type: 'function', function: { name: 'h', arguments: '{}' } }] }),
      vllm({}, 'stop'),
      '[DONE]',
    ],
    out: [
      { delta: { role: 'assistant', content: null }, finish: null },
      {
        delta: {
          tool_calls: [{ index: 0, id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        finish: null,
      },
      {
        delta: {
          tool_calls: [
            { index: 1, id: 'y', type: 'function', function: { name: 'g', arguments: '{"b":2}' } },
          ],
        },
        finish: null,
      },
      {
        delta: {
          tool_calls: [
            { index: 2, id: 'call_ID', type: 'function', function: { name: 'h', arguments: '{}' } },
          ],
        },
        finish: null,
      },
      end('tool_calls'),
      '[DONE]',
    ],
  },
  {
    title: 'parallel_tool_calls: false keeps the first call',
    firstCallOnly: true,
    in: [
      vllm({
        tool_calls: [{ index: 0, id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
      }),
      vllm({
        tool_calls: [{ index: 1, id: 'y', type: 'function', function: { name: 'g', arguments: '{}' } }],
      }),
      vllm({}, 'tool_calls'),
      '[DONE]',
    ],
    out: [
      { delta: { role: 'assistant', content: null }, finish: null },
      {
        delta: {
          tool_calls: [{ index: 0, id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        finish: null,
      },
      end('tool_calls'),
      '[DONE]',
    ],
  },
  {
    title: 'llama.cpp: content null first, created moving on, usage on the finish chunk, timings',
    includeUsage: true,
    in: [
      llamacpp({ role: 'assistant', content: null }),
      llamacpp({ content: 'a' }),
      llamacpp({ content: 'b' }),
      llamacpp({}, 'stop', {
        usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 },
        timings: { prompt_n: 4 },
      }),
      '[DONE]',
    ],
    out: [ROLE, say('a'), say('b'), end('stop'), { usage: [4, 2, 6] }, '[DONE]'],
  },
  {
    title: 'thinking under one name, told under both',
    in: [
      llamacpp({ role: 'assistant', content: null }),
      llamacpp({ reasoning_content: 'Hm' }),
      llamacpp({ reasoning_content: 'm' }),
      llamacpp({ content: '42' }),
      llamacpp({}, 'stop'),
      '[DONE]',
    ],
    out: [
      ROLE,
      { delta: { reasoning: 'Hm', reasoning_content: 'Hm' }, finish: null },
      { delta: { reasoning: 'm', reasoning_content: 'm' }, finish: null },
      say('42'),
      end('stop'),
      '[DONE]',
    ],
  },
  {
    title: 'thinking that is to be hidden',
    reasoningKeys: 'none',
    in: [
      vllm({ reasoning: 'Hm' }),
      vllm({ reasoning: 'm' }),
      vllm({ content: '42' }),
      vllm({}, 'stop'),
      '[DONE]',
    ],
    out: [ROLE, say('42'), end('stop'), '[DONE]'],
  },
  {
    title: 'role in every chunk (LM Studio), finish in the last one with text, no [DONE]',
    in: [
      vllm({ role: 'assistant', content: 'a' }),
      vllm({ role: 'assistant', content: 'b' }),
      vllm({ role: 'assistant', content: 'c' }, 'stop'),
    ],
    out: [ROLE, say('a'), say('b'), say('c'), end('stop'), '[DONE]'],
  },
  {
    title: 'a refusal',
    in: [
      vllm({ role: 'assistant', content: '', refusal: null }),
      vllm({ refusal: 'No.' }),
      vllm({}, 'stop'),
      '[DONE]',
    ],
    out: [ROLE, { delta: { refusal: 'No.' }, finish: null }, end('stop'), '[DONE]'],
  },
  {
    title: 'finish reasons nobody knows',
    in: [vllm({ content: 'a' }), vllm({}, 'eos'), '[DONE]'],
    out: [ROLE, say('a'), end('stop'), '[DONE]'],
  },
  {
    title: 'a finish that is said twice',
    in: [vllm({ content: 'a' }), vllm({}, 'stop'), vllm({ content: 'ghost' }), vllm({}, 'stop'), '[DONE]'],
    out: [ROLE, say('a'), end('stop'), '[DONE]'],
  },
  {
    title: 'nothing but a finish',
    in: [vllm({ role: 'assistant', content: '' }), vllm({}, 'stop'), '[DONE]'],
    out: [ROLE, end('stop'), '[DONE]'],
  },
  {
    title: 'padding against traffic analysis (OpenAI)',
    in: [
      vllm({ content: 'a' }, null, { obfuscation: 'xyz' }),
      vllm({ content: 'b' }, null, { obfuscation: 'q' }),
      vllm({ content: 'c' }, null, { obfuscation: 'qrs' }),
      vllm({}, 'stop'),
      '[DONE]',
    ],
    out: [ROLE, say('a'), say('b'), say('c'), end('stop'), '[DONE]'],
  },
  {
    title: 'quotes, backslashes and every script',
    in: [
      vllm({ content: 'a' }),
      vllm({ content: '"\\' }),
      vllm({ content: 'ü 你 👩‍👩‍👧\u2028\n' }),
      vllm({}, 'stop'),
      '[DONE]',
    ],
    out: [ROLE, say('a'), say('"\\'), say('ü 你 👩‍👩‍👧\u2028\n'), end('stop'), '[DONE]'],
  },
  {
    title: 'an error in the newer form',
    in: [
      vllm({ content: 'a' }),
      { error: { message: 'boom', type: 'InternalServerError', param: null, code: 500 } },
      '[DONE]',
    ],
    out: [ROLE, say('a'), { error: 'upstream_error' }],
  },
  {
    title: 'an error in the older form',
    in: [
      vllm({ content: 'a' }),
      { object: 'error', message: 'boom', type: 'BadRequestError', param: null, code: 400 },
    ],
    out: [ROLE, say('a'), { error: null }],
  },
  {
    title: 'an error as a text',
    in: [vllm({ content: 'a' }), { error: 'Model unloaded' }],
    out: [ROLE, say('a'), { error: 'upstream_error' }],
  },
  {
    title: 'a generation that the server aborted',
    in: [vllm({ content: 'a' }), vllm({}, 'abort'), '[DONE]'],
    out: [ROLE, say('a'), { error: 'upstream_incomplete_response' }],
  },
  {
    title: '[DONE] without a finish',
    in: [vllm({ content: 'a' }), '[DONE]'],
    out: [ROLE, say('a'), { error: 'upstream_incomplete_response' }],
  },
  {
    title: 'an end without a finish',
    in: [vllm({ content: 'a' })],
    out: [ROLE, say('a'), { error: 'upstream_incomplete_response' }],
  },
  { title: 'an end without anything', in: [], out: [{ error: 'upstream_incomplete_response' }] },
  {
    title: 'a whole answer where a stream was asked for',
    in: [
      {
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }],
      },
    ],
    out: [{ error: 'upstream_invalid_response' }],
  },
  {
    title: 'two answers, mixed',
    choices: 2,
    in: [
      choice(0, { content: 'a' }),
      choice(1, { content: 'b' }),
      choice(0, {}, 'stop'),
      choice(1, {}, 'length'),
      '[DONE]',
    ],
    out: [
      ROLE,
      say('a'),
      { index: 1, ...ROLE },
      { index: 1, ...say('b') },
      end('stop'),
      { index: 1, ...end('length') },
      '[DONE]',
    ],
  },
  {
    title: 'two answers of which the second never came',
    choices: 2,
    in: [choice(0, { content: 'a' }), choice(0, {}, 'stop')],
    out: [ROLE, say('a'), end('stop'), { error: 'upstream_incomplete_response' }],
  },
  {
    title: 'two answers of which the second never came, whatever the server says',
    choices: 2,
    in: [choice(0, { content: 'a' }), choice(0, {}, 'stop'), '[DONE]'],
    out: [ROLE, say('a'), end('stop'), { error: 'upstream_incomplete_response' }],
  },
  {
    title: 'an error that its event names, with and without a key of its own',
    in: [vllm({ content: 'a' }), 'event: error\ndata: {"message":"LM broke"}'],
    out: [ROLE, say('a'), { error: 'upstream_error', message: 'LM broke' }],
  },
  {
    title: 'an error that its event names and its data repeat',
    in: ['event: error\ndata: {"error":{"message":"no","type":"invalid_request_error"}}'],
    out: [{ error: null, message: 'no' }],
  },
  {
    title: 'an error that its event names, in plain words',
    in: ['event: error\ndata: slot gone'],
    out: [{ error: 'upstream_error', message: 'slot gone' }],
  },
  {
    title: 'an error on a line of its own (old llama.cpp)',
    in: [llamacpp({ content: 'a' }), 'error: {"code":500,"message":"slot gone","type":"server_error"}'],
    out: [ROLE, say('a'), { error: 'upstream_error', message: 'slot gone' }],
  },
  {
    title: 'probabilities of thinking and text in one delta, told once',
    logprobs: true,
    in: [
      choice(0, { reasoning: 'Hm', content: 'a' }, null, { logprobs: logprobsOf('a') }),
      choice(0, { content: 'b' }, null, { logprobs: logprobsOf('b') }),
      choice(0, {}, 'stop', { logprobs: null }),
      '[DONE]',
    ],
    out: [
      ROLE,
      { delta: { reasoning: 'Hm', reasoning_content: 'Hm' }, finish: null },
      { ...say('a'), logprobs: logprobsOf('a') },
      { ...say('b'), logprobs: logprobsOf('b') },
      end('stop'),
      '[DONE]',
    ],
  },
  {
    title:
      'probabilities without a text: of half a character, of the end; those of thinking and calls describe nothing',
    logprobs: true,
    in: [
      choice(0, { content: '' }, null, { logprobs: logprobsOf('half') }),
      choice(0, { content: 'é' }, null, { logprobs: logprobsOf('other half') }),
      choice(0, { reasoning: 'Hm' }, null, { logprobs: logprobsOf('Hm') }),
      choice(0, { content: '' }, null, { logprobs: { content: [] } }),
      choice(0, { content: '' }, 'stop', { logprobs: logprobsOf('<end>') }),
      '[DONE]',
    ],
    out: [
      ROLE,
      { ...say(''), logprobs: logprobsOf('half') },
      { ...say('é'), logprobs: logprobsOf('other half') },
      { delta: { reasoning: 'Hm', reasoning_content: 'Hm' }, finish: null },
      { ...say(''), logprobs: logprobsOf('<end>') },
      end('stop'),
      '[DONE]',
    ],
  },
  {
    title: 'probabilities that were not asked for',
    in: [
      choice(0, { content: '' }, null, { logprobs: logprobsOf('half') }),
      choice(0, { content: 'é' }, 'stop', { logprobs: logprobsOf('other half') }),
      '[DONE]',
    ],
    out: [ROLE, say('é'), end('stop'), '[DONE]'],
  },
  {
    title: 'probabilities of thinking that is to be hidden',
    logprobs: true,
    reasoningKeys: 'none',
    in: [
      choice(0, { reasoning: 'Hm', content: '' }, null, { logprobs: logprobsOf('Hm') }),
      choice(0, {}, 'stop'),
      '[DONE]',
    ],
    out: [ROLE, end('stop'), '[DONE]'],
  },
  {
    title: 'probabilities of text and refusal in one delta, told once',
    logprobs: true,
    in: [
      choice(0, { content: 'a', refusal: 'No.' }, null, { logprobs: logprobsOf('a') }),
      choice(0, {}, 'stop'),
      '[DONE]',
    ],
    out: [
      ROLE,
      { ...say('a'), logprobs: logprobsOf('a') },
      { delta: { refusal: 'No.' }, finish: null },
      end('stop'),
      '[DONE]',
    ],
  },
];
