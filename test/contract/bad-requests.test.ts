/** Requests out of the ranges and types of the API: the schema refuses them, and the gateway names the field. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { callingMessage, createJudges, message, request, tool } from './requests.ts';

const { schemaAllows, ask } = createJudges();

/** The members at fault, the param that is named and the code. */
type Row = readonly [JsonObject, string | null, string | null];

const TYPE = 'invalid_type';
const VALUE = 'invalid_value';
const MISSING = 'missing_required_parameter';

const PARAMETERS: readonly Row[] = [
  [{ model: undefined }, null, null],
  [{ model: 1 }, 'model', TYPE],
  [{ model: null }, 'model', TYPE],
  [{ model: '' }, 'model', 'empty_string'],
  [{ model: ' \t ' }, 'model', 'empty_string'],
  [{ model: 'a\u0000hole' }, 'model', VALUE],
  [{ model: 'a\nb' }, 'model', VALUE],
  [{ messages: undefined }, 'messages', MISSING],
  [{ messages: null }, 'messages', TYPE],
  [{ messages: 'hi' }, 'messages', TYPE],
  [{ messages: [] }, 'messages', 'empty_array'],
  [{ messages: ['hi'] }, 'messages[0]', TYPE],
  [{ temperature: -0.1 }, 'temperature', 'decimal_below_min_value'],
  [{ temperature: 2.1 }, 'temperature', 'decimal_above_max_value'],
  [{ temperature: 3 }, 'temperature', 'decimal_above_max_value'],
  [{ temperature: '1' }, 'temperature', TYPE],
  [{ top_p: -0.1 }, 'top_p', 'decimal_below_min_value'],
  [{ top_p: 1.1 }, 'top_p', 'decimal_above_max_value'],
  [{ top_p: true }, 'top_p', TYPE],
  [{ n: 0 }, 'n', 'integer_below_min_value'],
  [{ n: 129 }, 'n', 'integer_above_max_value'],
  [{ n: 1.5 }, 'n', TYPE],
  [{ max_tokens: 0 }, 'max_tokens', 'integer_below_min_value'],
  [{ max_tokens: 1.5 }, 'max_tokens', TYPE],
  [{ max_tokens: '5' }, 'max_tokens', TYPE],
  [{ max_completion_tokens: -1 }, 'max_completion_tokens', 'integer_below_min_value'],
  [{ max_completion_tokens: [1] }, 'max_completion_tokens', TYPE],
  [{ frequency_penalty: -2.1 }, 'frequency_penalty', 'decimal_below_min_value'],
  [{ frequency_penalty: 2.1 }, 'frequency_penalty', 'decimal_above_max_value'],
  [{ presence_penalty: -2.1 }, 'presence_penalty', 'decimal_below_min_value'],
  [{ presence_penalty: 2.1 }, 'presence_penalty', 'decimal_above_max_value'],
  [{ presence_penalty: '0' }, 'presence_penalty', TYPE],
  [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', 'array_above_max_length'],
  [{ stop: 1 }, 'stop', TYPE],
  [{ stop: ['a', 1] }, 'stop[1]', TYPE],
  [{ seed: 1.5 }, 'seed', TYPE],
  [{ seed: '1' }, 'seed', TYPE],
  [{ seed: 1e19 }, 'seed', 'integer_above_max_value'],
  [{ seed: -1e19 }, 'seed', 'integer_below_min_value'],
  [{ logprobs: 1 }, 'logprobs', TYPE],
  [{ top_logprobs: -1 }, 'top_logprobs', 'integer_below_min_value'],
  [{ top_logprobs: 21 }, 'top_logprobs', 'integer_above_max_value'],
  [{ top_logprobs: 0.5 }, 'top_logprobs', TYPE],
  [{ logit_bias: { 1: -100.5 } }, 'logit_bias.1', 'decimal_below_min_value'],
  [{ logit_bias: { 1: 101 } }, 'logit_bias.1', 'decimal_above_max_value'],
  [{ logit_bias: { 1: '5' } }, 'logit_bias.1', TYPE],
  [{ logit_bias: [1] }, 'logit_bias', TYPE],
  [{ stream: 'true' }, 'stream', TYPE],
  [{ stream: true, stream_options: true }, 'stream_options', TYPE],
  [{ stream: true, stream_options: { include_usage: 1 } }, 'stream_options.include_usage', TYPE],
  [{ stream: true, stream_options: { include_obfuscation: '' } }, 'stream_options.include_obfuscation', TYPE],
  [{ tools: Array<unknown>(129).fill(tool('f')) }, 'tools', 'array_above_max_length'],
  [{ tools: tool('f') }, 'tools', TYPE],
  [{ tools: [{ type: 'plugin', function: { name: 'f' } }] }, 'tools[0].type', VALUE],
  [{ tools: [{ function: { name: 'f' } }] }, 'tools[0].type', MISSING],
  [{ tools: [{ type: 'function' }] }, 'tools[0].function', MISSING],
  [{ tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name', MISSING],
  [{ tools: [tool('')] }, 'tools[0].function.name', VALUE],
  [{ tools: [tool('a b')] }, 'tools[0].function.name', VALUE],
  [{ tools: [tool('f\n')] }, 'tools[0].function.name', VALUE],
  [{ tools: [tool('f'.repeat(65))] }, 'tools[0].function.name', VALUE],
  [
    { tools: [{ type: 'function', function: { name: 'f', parameters: [] } }] },
    'tools[0].function.parameters',
    TYPE,
  ],
  [{ tool_choice: 'any' }, 'tool_choice', VALUE],
  [{ tool_choice: 1 }, 'tool_choice', TYPE],
  [{ parallel_tool_calls: 'no' }, 'parallel_tool_calls', TYPE],
  [{ response_format: 'json_object' }, 'response_format', TYPE],
  [{ response_format: {} }, 'response_format.type', MISSING],
  [{ response_format: { type: 'xml' } }, 'response_format.type', VALUE],
  [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema', MISSING],
  [
    { response_format: { type: 'json_schema', json_schema: { schema: {} } } },
    'response_format.json_schema.name',
    MISSING,
  ],
  [
    { response_format: { type: 'json_schema', json_schema: { name: 'a b', schema: {} } } },
    'response_format.json_schema.name',
    VALUE,
  ],
  [
    { response_format: { type: 'json_schema', json_schema: { name: 'a' } } },
    'response_format.json_schema.schema',
    MISSING,
  ],
  [{ reasoning_effort: 'extreme' }, 'reasoning_effort', VALUE],
  [{ reasoning_effort: 3 }, 'reasoning_effort', TYPE],
  [{ verbosity: 'loud' }, 'verbosity', VALUE],
  [{ modalities: ['text', 'video'] }, 'modalities[1]', VALUE],
  [{ modalities: 'text' }, 'modalities', TYPE],
  [{ metadata: { a: 1 } }, 'metadata.a', TYPE],
  [{ metadata: { ['k'.repeat(65)]: 'v' } }, `metadata.${'k'.repeat(65)}`, 'string_above_max_length'],
  [{ metadata: { a: 'v'.repeat(513) } }, 'metadata.a', 'string_above_max_length'],
  [{ store: 'yes' }, 'store', TYPE],
  [{ service_tier: 'gold' }, 'service_tier', VALUE],
  [{ user: 7 }, 'user', TYPE],
  [{ safety_identifier: 'x'.repeat(65) }, 'safety_identifier', 'string_above_max_length'],
  [{ prompt_cache_key: 7 }, 'prompt_cache_key', TYPE],
];

const user = (content: unknown): JsonObject => message({ role: 'user', content });
const assistant = (members: JsonObject): JsonObject => message({ role: 'assistant', ...members });

const MESSAGES: readonly Row[] = [
  [message({ content: 'hi' }), 'messages[0].role', MISSING],
  [message({ role: 'robot', content: 'hi' }), 'messages[0].role', VALUE],
  [message({ role: 'system' }), 'messages[0].content', MISSING],
  [
    message({ role: 'system', content: [{ type: 'image_url', image_url: 'x' }] }),
    'messages[0].content[0].type',
    VALUE,
  ],
  [message({ role: 'developer', content: null }), 'messages[0].content', TYPE],
  [message({ role: 'user' }), 'messages[0].content', MISSING],
  [user(null), 'messages[0].content', TYPE],
  [user(7), 'messages[0].content', TYPE],
  [user([]), 'messages[0].content', 'empty_array'],
  [user([{ text: 'hi' }]), 'messages[0].content[0].type', MISSING],
  [user([{ type: 'video' }]), 'messages[0].content[0].type', VALUE],
  [user([{ type: 'text', text: 'a' }, { type: 'text' }]), 'messages[0].content[1].text', MISSING],
  [user([{ type: 'image_url' }]), 'messages[0].content[0].image_url', MISSING],
  [user([{ type: 'image_url', image_url: {} }]), 'messages[0].content[0].image_url.url', MISSING],
  [
    user([{ type: 'input_audio', input_audio: { data: '' } }]),
    'messages[0].content[0].input_audio.format',
    MISSING,
  ],
  [message({ role: 'user', content: 'hi', name: 7 }), 'messages[0].name', TYPE],
  [assistant({ content: 7 }), 'messages[0].content', TYPE],
  [assistant({ content: [{ type: 'image_url', image_url: 'x' }] }), 'messages[0].content[0].type', VALUE],
  [assistant({ tool_calls: [{ type: 'function' }] }), 'messages[0].tool_calls[0].id', MISSING],
  [
    assistant({ tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: {} } }] }),
    'messages[0].tool_calls[0].function.arguments',
    TYPE,
  ],
  [
    request({ messages: [callingMessage, { role: 'tool', content: 'x' }] }),
    'messages[1].tool_call_id',
    MISSING,
  ],
  [
    request({ messages: [callingMessage, { role: 'tool', tool_call_id: 'c1' }] }),
    'messages[1].content',
    MISSING,
  ],
  [message({ role: 'function', content: 'x' }), 'messages[0].name', MISSING],
];

const named = (rows: readonly Row[]): (readonly [string, JsonObject, string | null, string | null])[] =>
  rows.map(([members, param, code]) => [
    `${String(code)} for ${JSON.stringify(members).slice(0, 90)}`,
    members,
    param,
    code,
  ]);

describe('the schema and the gateway refuse a request', () => {
  it.each(named(PARAMETERS))('with %s', async (_name, members, param, code) => {
    const body = request(members);
    expect(schemaAllows(body)).toBe(false);
    expect(await ask(body)).toEqual({ status: 400, param, code });
  });

  it.each(named(MESSAGES))('with a message that earns %s', async (_name, body, param, code) => {
    expect(schemaAllows(body)).toBe(false);
    expect(await ask(body)).toEqual({ status: 400, param, code });
  });

  it.each([[[]], ['text'], [7], [null], [true]])('that is no object: %j', async (body) => {
    expect(schemaAllows(body)).toBe(false);
    expect(await ask(body)).toEqual({ status: 400, param: null, code: null });
  });

  it.each<readonly [string, string, unknown]>([
    ['more than 16 pairs', 'metadata', Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, 'v']))],
    ['no entry', 'functions', []],
    ['more than 128 entries', 'functions', Array<unknown>(129).fill({ name: 'f' })],
    ['a text', 'functions', 'f'],
    ['a number', 'function_call', 7],
  ])('with %s in %s', async (_name, param, value) => {
    const body = request({ [param]: value });
    expect(schemaAllows(body)).toBe(false);
    expect(await ask(body)).toMatchObject({ status: 400, param });
  });
});
