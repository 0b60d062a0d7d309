/** For each place of the requests of openapi.yaml: a usual value, and another that must make a difference. */

import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import type { Usual } from './places.ts';
import { tool } from './requests.ts';

const PNG = 'data:image/png;base64,iVBORw0KGgo=';
const OTHER_PNG = 'data:image/png;base64,iVBORw0KGgoA';

/** undefined: left out. */
type Case = readonly [usual: unknown, other: unknown];
export type Cases = Readonly<Record<string, Case>>;

const texts = (...ids: readonly string[]): Cases =>
  Object.fromEntries(ids.map((id) => [id, ['s', 'another']]));
const optional = (values: JsonObject): Cases =>
  Object.fromEntries(Object.entries(values).map(([id, other]) => [id, [undefined, other]]));

const CONTENTS: Cases = Object.assign(
  {},
  ...['developer', 'system', 'user', 'assistant', 'tool'].map((role) =>
    texts(`messages[](${role}).content`, `messages[](${role}).content[](text).text`),
  ),
) as Cases;
const USER = 'messages[](user).content[]';
const ASSISTANT = 'messages[](assistant)';
const CALLS = `${ASSISTANT}.tool_calls[]`;
const ALLOWED = 'tool_choice(allowed_tools).allowed_tools';

const SAMPLING = {
  temperature: 0.7,
  top_p: 0.7,
  frequency_penalty: 0.7,
  presence_penalty: 0.7,
  seed: 7,
  stop: 'STOP',
  max_tokens: 7,
  n: 2,
  stream: true,
  'stream_options.include_usage': true,
  logit_bias: { 1: 1 },
  user: 'u',
};

export const CHAT_CASES: Cases = {
  ...CONTENTS,
  ...texts(
    'messages[](function).content',
    'messages[](function).name',
    `${ASSISTANT}.content[](refusal).refusal`,
    `${CALLS}(function).function.name`,
    `${CALLS}(custom).custom.name`,
    `${CALLS}(custom).custom.input`,
    `${ASSISTANT}.function_call.name`,
    'functions[].name',
    'tools[](function).function.name',
    'tools[](custom).custom.name',
  ),
  model: ['m', 'm:latest'],
  [`${USER}(image_url).image_url`]: [PNG, OTHER_PNG],
  [`${USER}(image_url).image_url.url`]: [PNG, OTHER_PNG],
  [`${USER}(input_audio).input_audio.data`]: ['UklGRg==', 'SUQz'],
  [`${USER}(input_audio).input_audio.format`]: ['wav', 'flac'],
  [`${CALLS}(function).id`]: ['c1', 'c2'],
  [`${CALLS}(custom).id`]: ['c1', 'c2'],
  [`${CALLS}(function).function.arguments`]: ['{"a":1}', '{"a":2}'],
  [`${ASSISTANT}.function_call.arguments`]: ['{"a":1}', '{"a":2}'],
  'messages[](tool).tool_call_id': ['c1', 'c2'],
  'tools[](custom).custom.format.type': ['text', 'grammar'],
  'response_format(json_schema).json_schema.schema': [{}, { type: 'object' }],
  'tool_choice(function).function.name': ['f', 'g'],
  'tool_choice(custom).custom.name': ['c', 'd'],
  'function_call.name': ['f', 'g'],
  [`${ALLOWED}.mode`]: ['auto', 'required'],
  [`${ALLOWED}.tools[](function).function.name`]: ['f', 'g'],
  [`${ALLOWED}.tools[](custom).custom.name`]: ['c', 'd'],
  ...optional({
    ...SAMPLING,
    'messages[](developer).name': 'n',
    'messages[](system).name': 'n',
    'messages[](user).name': 'n',
    [`${ASSISTANT}.name`]: 'n',
    'messages[](tool).name': 'n',
    [`${USER}(image_url).image_url.detail`]: 'high',
    [`${ASSISTANT}.refusal`]: 'No.',
    [`${ASSISTANT}.reasoning`]: 'Hm.',
    [`${ASSISTANT}.reasoning_content`]: 'Hm.',
    'stream_options.include_obfuscation': true,
    max_completion_tokens: 7,
    logprobs: true,
    top_logprobs: 3,
    'response_format(json_schema).json_schema.description': 'd',
    'tools[](function).function.description': 'd',
    'tools[](function).function.parameters': { properties: { a: {} } },
    'tools[](function).function.strict': true,
    'tools[](custom).custom.description': 'd',
    tool_choice: 'required',
    parallel_tool_calls: false,
    reasoning_effort: 'low',
    'functions[].description': 'd',
    'functions[].parameters': { properties: { a: {} } },
    'functions[].strict': true,
    function_call: 'none',
    modalities: ['audio'],
    audio: { voice: 'alloy', format: 'wav' },
    web_search_options: {},
    moderation: {},
    verbosity: 'low',
    prediction: { type: 'content', content: 'x' },
    metadata: { a: 'b' },
    store: true,
    service_tier: 'flex',
    safety_identifier: 's',
    prompt_cache_key: 'k',
    prompt_cache_retention: '24h',
  }),
};

/** Places where no value makes a difference, and none is lost. */
export const WITHOUT_DIFFERENCE: Readonly<Record<string, string>> = {
  'response_format(json_schema).json_schema.name': 'a name for the client',
  'response_format(json_schema).json_schema.strict': 'the model is always held to the schema',
};

/** Places in what is refused as a whole. */
export const REFUSED: Readonly<Record<string, string>> = {
  [`${USER}(file).file`]: 'no model of Ollama reads files',
};

export const COMPLETION_CASES: Cases = {
  model: ['m', 'm:latest'],
  prompt: ['hi', 'another'],
  ...optional({ ...SAMPLING, suffix: 'x', echo: true, best_of: 2, logprobs: 1 }),
};

export const EMBEDDING_CASES: Cases = {
  model: ['m', 'm:latest'],
  input: ['hi', 'another'],
  ...optional({ encoding_format: 'base64', dimensions: 2, user: 'u' }),
};

/** What is put where the schema requires something. */
export function usualOf(cases: Cases): Usual {
  const usual = Object.entries(cases).flatMap(([id, [value]]) => (value === undefined ? [] : [[id, value]]));
  return { messages: [{ role: 'user', content: 'json' }], ...(Object.fromEntries(usual) as JsonObject) };
}

const custom = (name: string): JsonObject => ({ type: 'custom', custom: { name } });
const call = (id: string): JsonObject => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
const result = (id: unknown): JsonObject => ({ role: 'tool', tool_call_id: id, content: 'r' });

/** What must be there besides for the place to be allowed at all. */
const COMPANIONS: readonly (readonly [RegExp, (body: JsonObject) => JsonObject])[] = [
  [/^stream_options/, () => ({ stream: true })],
  [/^top_logprobs/, () => ({ logprobs: true })],
  [/^tool_choice/, () => ({ tools: [tool('f'), tool('g'), custom('c'), custom('d')] })],
  [/^parallel_tool_calls/, () => ({ tools: [tool('f')] })],
  [/^function_call/, () => ({ functions: [{ name: 'f' }, { name: 'g' }] })],
  [/^messages/, ({ messages }) => ({ messages: conversationOf((messages as JsonObject[])[0] ?? {}) })],
];

export function withCompanions(id: string, body: JsonObject): JsonObject {
  return COMPANIONS.reduce(
    (whole, [pattern, companion]) => (pattern.test(id) ? { ...whole, ...companion(whole) } : whole),
    body,
  );
}

/** Calls come before their results, and every call has one. */
function conversationOf(message: JsonObject): JsonObject[] {
  const user = { role: 'user', content: 'q' };
  if (message.role === 'tool') {
    const calling = { role: 'assistant', tool_calls: [call('c1'), call('c2')] };
    return [user, calling, message, result(message.tool_call_id === 'c2' ? 'c1' : 'c2')];
  }
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isJsonObject) : [];
  return [user, message, ...calls.map(({ id }) => result(id))];
}
