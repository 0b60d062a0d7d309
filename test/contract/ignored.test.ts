/** What is named in x-gateway-ignored-params, and how. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { createSetup } from '../support/setup.ts';
import { createAsk, FORCED, STRICT } from './asking.ts';
import { CHAT_CASES } from './effect-cases.ts';
import { message, request, tool } from './requests.ts';

const setup = createSetup();
const ask = createAsk(setup);
const user = (part: JsonObject): JsonObject => message({ role: 'user', content: [part] });

describe('on Ollama', () => {
  it.each<readonly [string, JsonObject, string]>([
    ['an unknown parameter', { flux: 1 }, 'flux'],
    [
      'one that has the name of what all objects have',
      { constructor: 1, valueOf: 'x' },
      'constructor, valueOf',
    ],
    ['a load-time option', { num_ctx: 4096 }, 'num_ctx'],
    ['a load-time option inside options', { options: { num_ctx: 4096, top_k: 3 } }, 'options.num_ctx'],
    ['several', { store: true, user: 'u' }, 'store, user'],
    ['a name that is no header value', { 'a\r\nb': 1, user: 'u' }, 'a%0D%0Ab, user'],
    ['a name in another script', { größe: 1 }, 'gr%C3%B6%C3%9Fe'],
    ['a name with a comma and a slash', { 'a, b/c': 1 }, 'a%2C%20b%2Fc'],
    ['a long name', { ['x'.repeat(65)]: 1 }, 'x'.repeat(65)],
    ['a name that is no text', { '\ud800': 1 }, '%EF%BF%BD'],
    ['a name that is empty', { '': 1 }, '%22%22'],
    [
      'a member of a part',
      user({ type: 'text', text: 'x', cache_control: {}, flux: 1 }),
      'messages[0].content[0].flux',
    ],
    [
      'each kind of place once',
      { messages: [1, 2].map(() => ({ role: 'user', name: 'n', content: 'x' })) },
      'messages[0].name',
    ],
    [
      'a schema beside the type text',
      { response_format: { type: 'text', json_schema: { name: 'a' } } },
      'response_format.json_schema',
    ],
    ['a wish of OpenRouter’s', { reasoning: { max_tokens: 100, effort: 'low' } }, 'reasoning.max_tokens'],
    ['an argument of a template', { chat_template_kwargs: { foo: 1 } }, 'chat_template_kwargs.foo'],
  ])('%s is named', async (_, members, names) => {
    expect(await ask(request(members))).toMatchObject({ status: 200, ignored: names });
  });

  it('a name that JavaScript cannot print is named', async () => {
    const body = JSON.stringify(request()).replace('{', '{"__proto__":{"a":1},');
    expect(await ask(body)).toMatchObject({ status: 200, ignored: '__proto__' });
  });

  it('no more than fifty names are told of any number', async () => {
    const many = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`k${String(i)}`, 1]));
    const { status, ignored } = await ask(request(many));
    expect(status).toBe(200);
    expect(ignored?.split(', ')).toHaveLength(50);
  });

  it.each<readonly [string, JsonObject]>([
    ['that say the same', { max_tokens: 2, max_completion_tokens: 2, reasoning_effort: 'low', think: 'low' }],
    ['that are null or empty', { options: { foo: null, top_k: null }, metadata: {}, tools: [], user: null }],
    [
      'that ask for what is done anyway',
      { store: false, stream: true, stream_options: { include_obfuscation: false } },
    ],
    [
      'of an answer that was sent back',
      {
        messages: [
          {
            role: 'assistant',
            content: 'a',
            refusal: null,
            annotations: [],
            reasoning: 'Hm',
            reasoning_content: 'Hm',
          },
          { role: 'user', content: 'q' },
        ],
      },
    ],
    [
      'of a function that is held to its schema',
      { ...FORCED, tools: [{ type: 'function', function: { name: 'f', strict: true } }] },
    ],
  ])('nothing is named of places %s', async (_, members) => {
    expect(await ask(request(members), STRICT)).toMatchObject({ status: 200, ignored: null });
  });

  it('a model that cannot think heeds the wish not to, and no other', async () => {
    const capabilities = ['completion'];
    expect(
      await ask(request({ reasoning_effort: 'none', think: false }), { capabilities, ...STRICT }),
    ).toMatchObject({
      status: 200,
      ignored: null,
    });
    expect(await ask(request({ reasoning_effort: 'low' }), { capabilities })).toMatchObject({
      status: 200,
      ignored: 'reasoning_effort',
    });
  });
});

describe('a strict request', () => {
  it('is refused in place of being served without something', async () => {
    expect(await ask(request({ user: 'u' }), STRICT)).toMatchObject({
      status: 400,
      ignored: null,
      error: { param: 'user', code: 'unsupported_parameter' },
    });
    const named = message({ role: 'user', name: 'n', content: 'x' });
    expect(await ask(named, STRICT)).toMatchObject({ status: 400, error: { param: 'messages[0].name' } });
  });

  it.each(['true', 'True', 'TRUE'])('is one that says %s', async (value) => {
    const headers = { 'x-gateway-strict': value };
    expect(await ask(request({ user: 'u' }), { headers })).toMatchObject({
      status: 400,
      error: { param: 'user' },
    });
  });

  it.each(['false', 'FALSE'])('is none that says %s', async (value) => {
    expect((await ask(request({ user: 'u' }), { headers: { 'x-gateway-strict': value } })).status).toBe(200);
  });

  it.each(['1', 'yes', '', 'true, true'])('that says %j could be either, and is refused', async (value) => {
    expect(await ask(request(), { headers: { 'x-gateway-strict': value } })).toMatchObject({
      status: 400,
      error: { param: 'x-gateway-strict', code: 'invalid_value' },
    });
  });
});

it('a backend of the same format gets everything, and nothing is named', async () => {
  const elsewhere = /\.|\(|^(?:stream|functions|function_call|model|n)$/;
  const given = Object.entries(CHAT_CASES).filter(([id]) => !elsewhere.test(id));
  const body = request({
    ...Object.fromEntries(given.map(([id, [, other]]) => [id, other])),
    tools: [tool('f')],
    unknown: 1,
  });
  expect(await ask(body, { kind: 'vllm' })).toEqual({
    status: 200,
    ignored: null,
    error: undefined,
    asked: body,
  });
});

describe('a backend of the same format', () => {
  it('does not get what the operator fixed otherwise, which is named', async () => {
    const options = { kind: 'vllm', model: '{ options: { temperature: 0, seed: 7 } }' };
    const { asked, ignored } = await ask(request({ temperature: 1.9, seed: 7 }), options);
    expect(asked?.temperature).toBe(0);
    expect(ignored).toBe('temperature');
  });

  it('that has one of two names for a limit gets the newer one', async () => {
    const { asked, ignored } = await ask(request({ max_tokens: 1, max_completion_tokens: 2 }), {
      kind: 'lmstudio',
    });
    expect(asked).toMatchObject({ max_tokens: 2 });
    expect(ignored).toBe('max_tokens');
  });
});
