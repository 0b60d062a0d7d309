/** Every field that the gateway reads, with every kind of value: the schema and the gateway never disagree. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { callingMessage, createJudges, message, request, tool, type Verdict } from './requests.ts';

const { schemaAllows, ask } = createJudges();

const NUMBERS = [0, 1, -1, 0.5, 1.5, 2, 2.5, -2, -2.5, 20, 21, 100, 101, -101, 128, 129, 1e15, -1e300];
const WORDS = [
  'none',
  'auto',
  'required',
  'low',
  'high',
  'text',
  'audio',
  'json_object',
  'flex',
  'user',
  'tool',
];
const STRINGS = ['', ' ', 'a', 'a b', 'ä', '1', 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(513)];
const LISTS = [[], ['a'], [1], [null], [[]], [{}], ['text'], ['audio', 'video'], ['a', 'b', 'c', 'd', 'e']];
const OBJECTS = [
  {},
  { a: 'x' },
  { a: 1 },
  { a: null },
  { type: 'text' },
  { type: 'function' },
  { type: 7 },
  { name: 'f', arguments: '{}' },
  { include_usage: true },
  { url: 'x' },
];
const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  ...NUMBERS,
  ...WORDS,
  ...STRINGS,
  ...LISTS,
  ...OBJECTS,
];

type Build = (value: unknown) => JsonObject;
const parameter =
  (name: string): Build =>
  (value) =>
    request({ [name]: value });
const inMessage =
  (members: JsonObject, name: string): Build =>
  (value) =>
    message({ ...members, [name]: value });
const inPart =
  (members: JsonObject, name: string): Build =>
  (value) =>
    message({ role: 'user', content: [{ ...members, [name]: value }] });
const inFunction =
  (name: string): Build =>
  (value) =>
    request({ tools: [{ type: 'function', function: { name: 'f', [name]: value } }] });
const inSchema =
  (name: string): Build =>
  (value) =>
    request({
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema: {}, [name]: value } },
    });
const inCall =
  (name: string): Build =>
  (value) =>
    message({ role: 'assistant', function_call: { name: 'f', arguments: '{}', [name]: value } });

const PARAMETERS = [
  'model',
  'messages',
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
];

const FIELDS: readonly (readonly [string, Build])[] = [
  ...PARAMETERS.map((name) => [name, parameter(name)] as const),
  ['role', inMessage({ content: 'x', name: 'x' }, 'role')],
  ...['system', 'developer', 'user', 'assistant', 'function'].flatMap((role) => [
    [`content of ${role}`, inMessage({ role, name: 'x' }, 'content')] as const,
    [`name of ${role}`, inMessage({ role, content: 'x' }, 'name')] as const,
  ]),
  ...['refusal', 'reasoning', 'reasoning_content', 'tool_calls', 'function_call'].map(
    (name) => [`${name} of assistant`, inMessage({ role: 'assistant', content: 'x' }, name)] as const,
  ),
  [
    'tool_call_id',
    (id) => request({ messages: [callingMessage, { role: 'tool', content: 'x', tool_call_id: id }] }),
  ],
  [
    'content of tool',
    (content) => request({ messages: [callingMessage, { role: 'tool', content, tool_call_id: 'c1' }] }),
  ],
  ['type of a part', inPart({ text: 'x', file: {} }, 'type')],
  ['text of a part', inPart({ type: 'text' }, 'text')],
  ['image_url', inPart({ type: 'image_url' }, 'image_url')],
  ['input_audio', inPart({ type: 'input_audio' }, 'input_audio')],
  ['part', (value) => message({ role: 'user', content: [value] })],
  ['tool', (value) => request({ tools: [tool('f'), value] })],
  ['type of a tool', (type) => request({ tools: [{ ...tool('f'), type }] })],
  ...['name', 'description', 'parameters', 'strict'].map(
    (name) => [`${name} of a tool`, inFunction(name)] as const,
  ),
  ['type of the format', (type) => request({ response_format: { type } })],
  ...['name', 'schema'].map((name) => [`${name} of the format`, inSchema(name)] as const),
  ...['name', 'arguments'].map((name) => [`${name} of a call`, inCall(name)] as const),
  ['include_usage', (include_usage) => request({ stream_options: { include_usage } })],
  ['value of metadata', (a) => request({ metadata: { a } })],
  ['bias', (bias) => request({ logit_bias: { 1: bias } })],
];

/** Refused for a type, a range or a missing member, which is what a schema can tell. */
function isMalformed({ status, param, code }: Verdict): boolean {
  return status === 400 && code !== 'unsupported_parameter' && (code !== null || param === null);
}

describe('the schema and the gateway agree', () => {
  it.each(FIELDS)('about %s', async (_name, build) => {
    const bodies = VALUES.map(build).map((body) => JSON.parse(JSON.stringify(body)) as unknown);
    const quarrels = await Promise.all(
      bodies.map(async (body) => {
        const verdict = await ask(body);
        const isAllowed = schemaAllows(body);
        return isAllowed === !isMalformed(verdict) ? [] : [{ body, isAllowed, ...verdict }];
      }),
    );
    expect(quarrels.flat()).toEqual([]);
  });
});
