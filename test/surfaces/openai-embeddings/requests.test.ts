/** What a client may ask for, and what a backend is asked. */

import { describe, expect, it } from '@jest/globals';
import { kinds } from '../../../src/backends/index.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { KINDS, type KindName, type Target } from '../../../src/core/fleet.ts';
import { ask, operationOf, targetOf, type Asked } from './support.ts';

function failureOf(run: () => unknown): Partial<GatewayError> {
  try {
    run();
  } catch (error) {
    return error as GatewayError;
  }
  return {};
}

function asked(body: JsonObject, kind: KindName, more: Partial<Target> = {}): Asked {
  return ask(operationOf(body), targetOf(kind, more));
}

describe('a request that is refused', () => {
  const many = (count: number): string[] => Array.from({ length: count }, () => 'x');

  it.each<[JsonObject, string | null, string | null, RegExp]>([
    [{ model: undefined, input: 'a' }, null, null, /must provide a model/],
    [{ model: '', input: 'a' }, 'model', 'empty_string', /too short/],
    [{ model: 5, input: 'a' }, 'model', 'invalid_type', /expected a string, but got an integer/],
    [{}, 'input', 'missing_required_parameter', /Missing required parameter: 'input'/],
    [{ input: null }, 'input', 'invalid_type', /expected a string or array, but got null/],
    [{ input: 7 }, 'input', 'invalid_type', /expected a string or array, but got an integer/],
    [{ input: {} }, 'input', 'invalid_type', /expected a string or array, but got an object/],
    [{ input: '' }, 'input', 'empty_string', /string too short/],
    [{ input: [] }, 'input', 'empty_array', /empty array/],
    [{ input: ['a', ''] }, 'input[1]', 'empty_string', /string too short/],
    [{ input: ['a', 5] }, 'input[1]', 'invalid_type', /expected a string, but got an integer/],
    [{ input: ['a', ['b']] }, 'input[1]', 'invalid_type', /expected a string, but got an array/],
    [{ input: [null] }, 'input[0]', 'invalid_type', /expected a string, but got null/],
    [{ input: [1, 'a'] }, 'input[1]', 'invalid_type', /expected an integer, but got a string/],
    [{ input: [1, 1.5] }, 'input[1]', 'invalid_type', /expected an integer, but got a decimal/],
    [{ input: [1, -1] }, 'input[1]', 'integer_below_min_value', />= 0, but got -1/],
    [{ input: [[1], []] }, 'input[1]', 'empty_array', /empty array/],
    [{ input: [[1], 'a'] }, 'input[1]', 'invalid_type', /expected an array, but got a string/],
    [{ input: [[1, null]] }, 'input[0][1]', 'invalid_type', /expected an integer, but got null/],
    [{ input: many(2049) }, 'input', 'array_above_max_length', /maximum length 2048, but got .* length 2049/],
    [{ input: many(2049).map(() => [1]) }, 'input', 'array_above_max_length', /length 2049/],
    [{ input: 'a', encoding_format: 'int8' }, 'encoding_format', 'invalid_value', /'float', 'base64'/],
    [{ input: 'a', dimensions: 0 }, 'dimensions', 'integer_below_min_value', />= 1/],
    [{ input: 'a', dimensions: 1.5 }, 'dimensions', 'invalid_type', /expected an integer/],
    [{ input: 'a', user: 5 }, 'user', 'invalid_type', /expected a string/],
  ])('%j', (body, param, code, message) => {
    const error = failureOf(() => operationOf(body));
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', param, code });
    expect(error.message).toMatch(message);
  });

  it('is none with 2048 inputs, a long array of tokens, or nulls for what is left out', () => {
    for (const body of [
      { input: many(2048) },
      { input: Array.from({ length: 5000 }, (_, i) => i) },
      { input: 'a', encoding_format: null, dimensions: null, user: null },
    ]) {
      expect(operationOf(body)).toMatchObject({ model: 'e', isStream: false });
    }
  });
});

describe('a request to Ollama', () => {
  it('never lets the server cut a text', () => {
    expect(asked({ input: 'a', dimensions: 2, user: 'u' }, 'ollama')).toEqual({
      path: '/api/embed',
      body: { model: 'upstream-e', input: ['a'], truncate: false, dimensions: 2 },
    });
  });

  it('carries what the operator fixed for the model, in its place', () => {
    const options = { num_ctx: 8192, keep_alive: '1h' };
    expect(asked({ input: 'a' }, 'ollama', { options }).body).toMatchObject({
      keep_alive: '1h',
      options: { num_ctx: 8192 },
    });
  });

  it('carries an option of the request only where the operator allowed it, and never over his own', () => {
    const body = { input: 'a', num_ctx: 4096, options: { num_batch: 8, num_gpu: 1 } };
    const requestOptions = ['num_ctx', 'num_batch'];
    expect(asked(body, 'ollama').body).not.toHaveProperty('options');
    const more = { requestOptions, options: { num_batch: 16 } };
    expect(asked(body, 'ollama', more).body.options).toEqual({ num_ctx: 4096, num_batch: 16 });
    const wrong = { input: 'a', num_ctx: 'many' };
    expect(failureOf(() => asked(wrong, 'ollama', { requestOptions }))).toMatchObject({
      status: 400,
      param: 'num_ctx',
    });
  });

  it('names what has no effect, and nothing else', () => {
    const body = { input: 'a', encoding_format: 'base64', dimensions: 2, user: 'u', extra: 1, absent: null };
    const ignored = (more: JsonObject, target: Partial<Target> = {}): readonly string[] =>
      operationOf({ ...body, ...more }).ignoredParams(kinds.ollama, targetOf('ollama', target));
    expect(ignored({})).toEqual(['user', 'extra']);
    const options = { num_ctx: 1, num_gpu: 1 };
    expect(ignored({ options }, { requestOptions: ['num_ctx'], completionTemplate: false })).toEqual([
      'user',
      'extra',
      'options.num_gpu',
    ]);
    expect(failureOf(() => ignored({ options: 5 }))).toMatchObject({ status: 400, param: 'options' });
  });

  it('is not made for a model that is known to make no vectors', () => {
    const model = { name: 'e', created: 0, ownedBy: '', digest: '' };
    const chat = { ...model, capabilities: ['completion', 'tools'] };
    expect(failureOf(() => asked({ input: 'a' }, 'ollama', { model: chat }))).toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'model',
      message: expect.stringContaining('The model `e` does not support embeddings'),
    });
    const able = { ...model, capabilities: ['embedding'] };
    for (const known of [undefined, model, able]) {
      expect(asked({ input: 'a' }, 'ollama', { model: known }).path).toBe('/api/embed');
    }
  });
});

describe('a request to a server of OpenAI’s format', () => {
  const compatible = KINDS.filter((kind) => kind !== 'ollama');

  it.each(compatible)('is the client’s own for %s', (kind) => {
    const body = { input: ['a', '\ud800'], user: 'u', dimensions: 3, extra: { deep: [1] } };
    expect(asked(body, kind)).toEqual({ path: '/embeddings', body: { ...body, model: 'upstream-e' } });
    expect(operationOf(body).ignoredParams(kinds[kind], targetOf(kind))).toEqual([]);
  });

  it('keeps the digits of members that the gateway does not know', () => {
    const operation = operationOf({ input: 'a' });
    expect(operation.upstreamRequest(kinds.vllm, targetOf('vllm')).body).toBe(
      '{"model":"upstream-e","input":["a"]}',
    );
  });

  it.each(compatible)('asks %s for the encoding that the client wants, where it can', (kind) => {
    for (const encoding of ['float', 'base64']) {
      const { body } = asked({ input: 'a', encoding_format: encoding }, kind);
      expect(body.encoding_format).toBe(kind === 'lmstudio' ? undefined : encoding);
    }
  });

  it.each(compatible)('carries what the operator fixed for the model (%s)', (kind) => {
    expect(asked({ input: 'a' }, kind, { options: { priority: 5 } }).body).toMatchObject({ priority: 5 });
  });
});

describe('arrays of tokens', () => {
  const decoded = { 1: 'one', 2: 'two' } as Record<number, string>;
  const decodeTokens = (tokens: readonly number[]): Promise<string> =>
    tokens.includes(9)
      ? Promise.reject(new GatewayError('invalid_request', { message: 'The token 9 says nothing.' }))
      : Promise.resolve(tokens.map((token) => decoded[token]).join(' '));

  async function prepared(
    input: unknown,
    names: readonly KindName[],
  ): Promise<ReturnType<typeof operationOf>> {
    const operation = operationOf({ input });
    const sources = { decodeTokens, fetchImage: () => Promise.reject(new Error('no image')) };
    const { signal } = new AbortController();
    return (
      (await operation.prepare?.(
        names.map((name) => kinds[name]),
        sources,
        signal,
      )) ?? operation
    );
  }

  it.each([
    [[1, 2], ['one two'], [[1, 2]]],
    [
      [[1], [2, 1]],
      ['one', 'two one'],
      [[1], [2, 1]],
    ],
  ])('%j are read by those who can, and decoded for the others', async (input, texts, tokens) => {
    const operation = await prepared(input, KINDS);
    for (const kind of KINDS) {
      const readsText = kind === 'ollama' || kind === 'lmstudio';
      expect(ask(operation, targetOf(kind)).body.input).toEqual(readsText ? texts : tokens);
    }
  });

  it('are not decoded when nobody needs it', async () => {
    const operation = await prepared([3], ['vllm', 'openai', 'llamacpp']);
    expect(ask(operation, targetOf('vllm')).body.input).toEqual([[3]]);
  });

  it('that say nothing are the fault of the input', async () => {
    await expect(prepared([[1], [9]], ['ollama'])).rejects.toMatchObject({
      status: 400,
      param: 'input',
      message: 'The token 9 says nothing.',
    });
  });

  it('are the only reason to wait', () => {
    expect(operationOf({ input: ['a', 'b'] }).prepare).toBeUndefined();
  });

  it('are decoded before the batch is split', async () => {
    const operation = await prepared(
      Array.from({ length: 100 }, (_, i) => [i < 99 ? 1 : 2]),
      ['ollama'],
    );
    const parts = operation.split?.([kinds.ollama])?.parts ?? [];
    expect(parts.map((part) => (ask(part, targetOf('ollama')).body.input as string[]).at(-1))).toEqual([
      'one',
      'two',
    ]);
  });
});
