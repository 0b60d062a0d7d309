/** Requests within the API: the schema allows them and the gateway answers; and those that only a rule between fields refuses. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { callingMessage, createJudges, message, request, tool } from './requests.ts';

const { schemaAllows, ask, askText } = createJudges();

const PARAMETERS: readonly JsonObject[] = [
  {},
  { model: ' m ' },
  { model: 'vllm/anything' },
  ...['temperature', 'top_p', 'frequency_penalty', 'presence_penalty', 'n'].map((name) => ({ [name]: 1 })),
  { temperature: 0 },
  { temperature: 2 },
  { top_p: 0 },
  { frequency_penalty: -2, presence_penalty: 2 },
  { max_tokens: 1, max_completion_tokens: 1_000_000 },
  { max_tokens: 5.0 },
  { seed: -1 },
  { seed: 0 },
  { stop: '' },
  { stop: [] },
  { stop: ['a', 'b', 'c', 'd'] },
  { stream: false },
  { stream: true },
  { stream: true, stream_options: {} },
  { stream: true, stream_options: { include_usage: true, include_obfuscation: false, continuous: 1 } },
  { logprobs: false },
  { logit_bias: {} },
  { audio: {} },
  { modalities: ['text'] },
  { modalities: [] },
  { tools: [] },
  { tools: [tool('a-b_C9')], tool_choice: 'auto', parallel_tool_calls: false },
  { tools: [tool('f')], tool_choice: 'required' },
  { tools: [tool('f'), { type: 'custom', custom: { name: 'c' } }], tool_choice: tool('f') },
  { tools: [{ type: 'custom', custom: { name: 'c', format: { type: 'text' } } }], tool_choice: 'auto' },
  {
    tools: [tool('f'), tool('g')],
    tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [tool('f')] } },
  },
  { tools: Array<unknown>(128).fill(tool('f'.repeat(64))), tool_choice: 'none' },
  {
    tools: [
      {
        type: 'function',
        function: { name: 'f', description: null, parameters: { type: 'object' }, strict: true },
      },
    ],
  },
  { response_format: { type: 'text' } },
  { response_format: { type: 'json_object' }, messages: [{ role: 'user', content: 'Print JSON.' }] },
  { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: {}, strict: true } } },
  ...['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'].map((reasoning_effort) => ({
    reasoning_effort,
  })),
  ...['low', 'medium', 'high'].map((verbosity) => ({ verbosity })),
  ...['auto', 'default', 'flex', 'scale', 'priority', 'fast'].map((service_tier) => ({ service_tier })),
  { metadata: { ['k'.repeat(64)]: 'v'.repeat(512) } },
  { metadata: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${String(i)}`, 'v'])) },
  // Lengths are counted in characters, not in units of UTF-16.
  { metadata: { ['🌍'.repeat(64)]: '🌍'.repeat(512) } },
  { safety_identifier: '🌍'.repeat(64) },
  { user: '', safety_identifier: 'x'.repeat(64), prompt_cache_key: 'k', store: true },
  { functions: [{ name: 'f' }], function_call: 'auto' },
  { functions: Array<unknown>(128).fill({ name: 'f', parameters: {} }), function_call: { name: 'f' } },
  { prediction: { type: 'content', content: 'x' }, prompt_cache_retention: '24h' },
  // Keys of vendors and of APIs to come.
  { top_k: 40, chat_template_kwargs: { enable_thinking: false }, guided_json: {} },
];

const NULLABLE = [
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'n',
  'frequency_penalty',
  'presence_penalty',
  'seed',
  'stop',
  'logprobs',
  'top_logprobs',
  'logit_bias',
  'response_format',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning_effort',
  'verbosity',
  'modalities',
  'metadata',
  'store',
  'service_tier',
  'user',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'functions',
  'function_call',
  'audio',
  'web_search_options',
  'prediction',
];

const part = { type: 'text', text: 'hi' };
const pixel = 'data:image/png;base64,iVBORw0KGgo=';

const CONVERSATIONS: readonly JsonObject[] = [
  message({ role: 'user', content: '' }),
  message({ role: 'system', content: 'Be brief.', name: null }),
  message({ role: 'developer', content: [part, part], name: 'x' }),
  message({ role: 'user', content: [part] }),
  message({ role: 'user', content: [part, { type: 'image_url', image_url: { url: pixel, detail: 'low' } }] }),
  message({ role: 'user', content: [{ type: 'image_url', image_url: pixel }] }),
  message({ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] }),
  message({ role: 'user', content: [{ type: 'file', file: { file_id: 'x' } }] }),
  message({ role: 'assistant' }),
  message({ role: 'assistant', content: null, tool_calls: null, function_call: null, refusal: null }),
  message({ role: 'assistant', content: [part, { type: 'refusal', refusal: 'No.' }] }),
  message({ role: 'assistant', content: 'x', reasoning: 'y', reasoning_content: 'y', audio: { id: 'a' } }),
  message({ role: 'assistant', tool_calls: [] }),
  message({ role: 'assistant', function_call: { name: 'f', arguments: 'not JSON' } }),
  message({ role: 'function', name: 'f', content: null }),
  request({ messages: [callingMessage, { role: 'tool', tool_call_id: 'c1', content: 'x' }] }),
  request({ messages: [callingMessage, { role: 'tool', tool_call_id: 'c1', content: [part], name: 'f' }] }),
];

const name = (body: unknown): string => JSON.stringify(body).slice(0, 100);
const ANSWERED = { status: 200, param: null, code: null };

describe('the schema allows and the gateway answers a request', () => {
  it.each(PARAMETERS.map((members) => [name(members), members] as const))(
    'with %s',
    async (_name, members) => {
      const body = request(members);
      expect(schemaAllows(body)).toBe(true);
      expect(await ask(body)).toEqual(ANSWERED);
    },
  );

  it.each(CONVERSATIONS.map((body) => [name(body.messages), body] as const))(
    'with %s',
    async (_name, body) => {
      expect(schemaAllows(body)).toBe(true);
      expect(await ask(body)).toEqual(ANSWERED);
    },
  );

  it.each(NULLABLE)('with null for %s', async (parameter) => {
    const body = request({ [parameter]: null });
    expect(schemaAllows(body)).toBe(true);
    expect(await ask(body)).toEqual(ANSWERED);
  });

  it('with a seed of 64 bits', async () => {
    const json = JSON.stringify(request({ seed: 1 })).replace('"seed":1', '"seed":9223372036854775807');
    expect(schemaAllows(JSON.parse(json))).toBe(true);
    expect(await askText(json)).toEqual(ANSWERED);
  });
});

/** Members, the param that is named and the code. */
const BETWEEN_FIELDS: readonly (readonly [JsonObject, string, string | null])[] = [
  [{ stream_options: { include_usage: true } }, 'stream_options', null],
  [{ stream: false, stream_options: {} }, 'stream_options', null],
  [{ top_logprobs: 0 }, 'top_logprobs', null],
  [{ response_format: { type: 'json_object' } }, 'messages', null],
  [{ messages: [{ role: 'tool', tool_call_id: 'c1', content: 'x' }] }, 'messages.[0].role', null],
  [
    { messages: [callingMessage, { role: 'tool', tool_call_id: 'c2', content: 'x' }] },
    'messages.[1].role',
    null,
  ],
  [{ messages: [callingMessage] }, 'messages.[0].role', null],
  [{ messages: [callingMessage, { role: 'user', content: 'x' }] }, 'messages.[0].role', null],
  [{ tool_choice: 'required' }, 'tool_choice', null],
  [{ tools: [tool('f')], tool_choice: tool('g') }, 'tool_choice', null],
  [{ functions: [{ name: 'f' }], function_call: { name: 'g' } }, 'function_call', null],
];

/** Members, the param that is named: what a model of Ollama has no place for. */
const NOT_FOR_OLLAMA: readonly (readonly [JsonObject, string])[] = [
  [{ logit_bias: { 50256: -100 } }, 'logit_bias'],
  [{ modalities: ['text', 'audio'] }, 'modalities'],
  [{ audio: { voice: 'alloy', format: 'wav' } }, 'audio'],
  [{ web_search_options: {} }, 'web_search_options'],
  [{ moderation: {} }, 'moderation'],
  [message({ role: 'user', content: [{ type: 'file', file: {} }] }), 'messages[0].content[0]'],
];

describe('the schema allows a request that the gateway refuses for Ollama and passes on to others', () => {
  const ollama = createJudges('OLLAMA_BASE_URL');

  it.each(NOT_FOR_OLLAMA.map((row) => [name(row[0]), ...row] as const))(
    '%s',
    async (_name, members, param) => {
      const body = request(members);
      expect(schemaAllows(body)).toBe(true);
      expect(await ollama.ask(body)).toEqual({ status: 400, param, code: 'unsupported_parameter' });
      expect(await ask(body)).toEqual(ANSWERED);
    },
  );
});

describe('the schema allows a request that the gateway refuses for a rule it describes', () => {
  it.each(BETWEEN_FIELDS.map((row) => [name(row[0]), ...row] as const))(
    '%s',
    async (_name, members, param, code) => {
      const body = request(members);
      expect(schemaAllows(body)).toBe(true);
      expect(await ask(body)).toEqual({ status: 400, param, code });
    },
  );
});
