/** What is said twice or cannot be: one place counts and the others are named, or the request is refused. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { createSetup } from '../support/setup.ts';
import { createAsk, FORCED, STRICT } from './asking.ts';
import { request, tool } from './requests.ts';

const setup = createSetup();
const ask = createAsk(setup);

describe('on Ollama', () => {
  describe('of places that say the same, the one that does not count is named:', () => {
    it.each<readonly [JsonObject, string, JsonObject]>([
      [{ max_tokens: 1, max_completion_tokens: 2 }, 'max_tokens', { options: { num_predict: 2 } }],
      [{ max_tokens: 5, num_predict: 9 }, 'num_predict', { options: { num_predict: 5 } }],
      [
        { temperature: 0.5, options: { temperature: 1.5 } },
        'options.temperature',
        { options: { temperature: 0.5 } },
      ],
      [{ top_k: 5, options: { top_k: 9 } }, 'options.top_k', { options: { top_k: 5 } }],
      [
        { repeat_penalty: 1.1, repetition_penalty: 1.2 },
        'repetition_penalty',
        { options: { repeat_penalty: 1.1 } },
      ],
      [
        { reasoning_effort: 'low', think: false, reasoning: { effort: 'high' } },
        'reasoning.effort, think',
        { think: 'low' },
      ],
      [
        { think: true, chat_template_kwargs: { enable_thinking: false } },
        'chat_template_kwargs.enable_thinking',
        { think: true },
      ],
      [
        { ...FORCED, response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {} } } },
        'response_format',
        {},
      ],
      [{ ...FORCED, logprobs: true, top_logprobs: 2 }, 'logprobs, top_logprobs', {}],
      [
        {
          response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } },
          format: 'json',
        },
        'format',
        { format: { type: 'object' } },
      ],
      [
        {
          messages: [
            { role: 'assistant', content: 'a', refusal: 'No.', reasoning: 'A', reasoning_content: 'B' },
            { role: 'user', content: 'q' },
          ],
        },
        'messages[0].refusal, messages[0].reasoning',
        {},
      ],
    ])('%j', async (members, names, sent) => {
      const { status, ignored, asked } = await ask(request(members));
      expect({ status, ignored }).toEqual({ status: 200, ignored: names });
      expect(asked).toMatchObject(sent);
    });

    it.each<readonly [string, string, JsonObject, string | null]>([
      ['another temperature', '{ options: { temperature: 0.1 } }', { temperature: 1.5 }, 'temperature'],
      ['the same temperature', '{ options: { temperature: 0.1 } }', { temperature: 0.1 }, null],
      ['another length', '{ options: { num_predict: 9 } }', { max_tokens: 5 }, 'max_tokens'],
      ['other thoughts', '{ options: { think: false } }', { reasoning_effort: 'low' }, 'reasoning_effort'],
    ])('the operator fixed it and the client wants %s', async (_, model, members, names) => {
      expect(await ask(request(members), { model })).toMatchObject({ status: 200, ignored: names });
      const strict = await ask(request(members), { model, ...STRICT });
      expect(strict.status).toBe(names === null ? 200 : 400);
    });
  });

  it.each<readonly [string, JsonObject, string, string]>([
    ['thoughts of nobody’s', { think: 'banana' }, 'think', 'invalid_value'],
    ['an effort of nobody’s', { reasoning: { effort: 'banana' } }, 'reasoning.effort', 'invalid_value'],
    ['a text in place of reasoning', { reasoning: 'high' }, 'reasoning', 'invalid_type'],
    ['a text in place of options', { options: 'x' }, 'options', 'invalid_type'],
    ['a list in place of options', { options: [1] }, 'options', 'invalid_type'],
    ['a text in place of a number', { top_k: 'five' }, 'top_k', 'invalid_type'],
    ['a fraction in place of a whole number', { top_k: 1.5 }, 'top_k', 'invalid_type'],
    ['a text inside options', { options: { top_k: 'five' } }, 'options.top_k', 'invalid_type'],
    ['what no server can hold', { top_k: 1e20 }, 'top_k', 'integer_above_max_value'],
    [
      'a temperature out of range',
      { options: { temperature: 99 } },
      'options.temperature',
      'decimal_above_max_value',
    ],
    ['a probability out of range', { min_p: -1 }, 'min_p', 'decimal_below_min_value'],
    ['a format of nobody’s', { format: 'xml' }, 'format', 'invalid_value'],
  ])('%s is refused', async (_, members, param, code) => {
    expect(await ask(request(members))).toMatchObject({
      status: 400,
      asked: undefined,
      error: { param, code },
    });
  });

  it('a number that JSON has and JavaScript does not is refused', async () => {
    const body = JSON.stringify(request({ top_k: 0 })).replace('"top_k":0', '"top_k":1e400');
    expect(await ask(body)).toMatchObject({ status: 400, error: { param: 'top_k', code: 'invalid_type' } });
  });

  it('sampling options of its own are passed on, with seeds and stops as OpenAI has them', async () => {
    const { asked, ignored } = await ask(
      request({
        top_k: 5,
        repetition_penalty: 1.1,
        n_keep: 4,
        options: { min_p: 0.1, seed: -1, stop: 'END' },
      }),
    );
    expect(asked?.options).toEqual({
      top_k: 5,
      repeat_penalty: 1.1,
      num_keep: 4,
      min_p: 0.1,
      seed: 4294967294,
      stop: ['END'],
    });
    expect(ignored).toBeNull();
  });

  it('its own word for a format is taken', async () => {
    expect(await ask(request({ format: 'json' }))).toMatchObject({
      ignored: null,
      asked: { format: 'json' },
    });
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    expect(await ask(request({ format: schema }))).toMatchObject({
      ignored: null,
      asked: { format: schema },
    });
  });
});

describe('a request that contradicts itself is refused, whoever is asked', () => {
  const functions = [{ name: 'f' }];
  it.each<readonly [string, JsonObject, string]>([
    ['functions and tools', { functions, tools: [tool('g')] }, 'functions'],
    ['functions and tool_choice', { functions, tool_choice: 'required' }, 'tool_choice'],
    ['tools and function_call', { tools: [tool('f')], function_call: { name: 'f' } }, 'function_call'],
    ['function_call alone', { function_call: 'auto' }, 'function_call'],
  ])('%s', async (_, members, param) => {
    for (const kind of ['ollama', 'vllm']) {
      expect(await ask(request(members), { kind })).toMatchObject({ status: 400, error: { param } });
    }
  });
});

describe('options that the operator allowed for the model', () => {
  it('are taken, but for those that are fixed', async () => {
    const model = '{ requestOptions: [num_ctx], options: { num_gpu: 1 } }';
    const { asked, ignored } = await ask(request({ num_ctx: 4096, num_gpu: 99 }), { model });
    expect(asked?.options).toEqual({ num_ctx: 4096, num_gpu: 1 });
    expect(ignored).toBe('num_gpu');
  });

  const ALLOWED = { model: '{ requestOptions: [shift, keep_alive, truncate, num_ctx, use_mmap, mirostat] }' };
  it.each<readonly [JsonObject, JsonObject]>([
    [{ shift: false }, { shift: false, truncate: false }],
    [{ keep_alive: 60 }, { keep_alive: 60 }],
    [{ keep_alive: '1h30m' }, { keep_alive: '1h30m' }],
    [{ options: { keep_alive: '-1m' } }, { keep_alive: '-1m' }],
    [{ truncate: true }, { truncate: true }],
    [{ use_mmap: false, mirostat: 1 }, { options: { use_mmap: false, mirostat: 1 } }],
  ])('go where Ollama reads them: %j', async (members, sent) => {
    const { status, ignored, asked } = await ask(request(members), ALLOWED);
    expect({ status, ignored }).toEqual({ status: 200, ignored: null });
    expect(asked).toMatchObject(sent);
  });

  it.each<readonly [JsonObject, string]>([
    [{ keep_alive: 'soon' }, 'keep_alive'],
    [{ keep_alive: true }, 'keep_alive'],
    [{ shift: 1 }, 'shift'],
    [{ num_ctx: true }, 'num_ctx'],
    [{ options: { num_ctx: 0.5 } }, 'options.num_ctx'],
    [{ use_mmap: 1 }, 'use_mmap'],
    [{ mirostat: 'on' }, 'mirostat'],
  ])('are refused with a wrong type: %j', async (members, param) => {
    expect(await ask(request(members), ALLOWED)).toMatchObject({
      status: 400,
      asked: undefined,
      error: { param, code: 'invalid_type' },
    });
  });
});
