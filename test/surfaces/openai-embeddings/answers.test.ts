/** What a backend answers, and what a client gets. */

import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { kinds } from '../../../src/backends/index.ts';
import { toGatewayError, type GatewayError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Split } from '../../../src/core/operation.ts';
import type { KindName } from '../../../src/core/fleet.ts';
import type { ByteText } from '../../../src/core/stream.ts';
import { answerOf, listOf, MAX_RESPONSE_BYTES, operationOf, targetOf, tell, type Answer } from './support.ts';

const targetOfOllama = targetOf('ollama');

function failureOf(run: () => unknown): Partial<GatewayError> {
  try {
    run();
  } catch (error) {
    return toGatewayError(error);
  }
  return {};
}

/** Little-endian float32, as the OpenAI SDK reads it. */
function readBase64(text: unknown): number[] {
  const bytes = Buffer.from(String(text), 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

const ollamaOf = (...embeddings: readonly unknown[]): JsonObject => ({
  model: 'upstream-e',
  embeddings,
  total_duration: 1,
  load_duration: 1,
  prompt_eval_count: 7,
});

describe.each<[KindName, (...embeddings: readonly unknown[]) => JsonObject, number]>([
  ['ollama', ollamaOf, 7],
  ['vllm', listOf, 5],
  ['lmstudio', listOf, 5],
])('an answer of %s', (kind, upstreamOf, tokens) => {
  const usage = { prompt_tokens: tokens, total_tokens: tokens };

  it('is told as OpenAI tells it, under the name that the client used', () => {
    expect(
      answerOf({ model: 'mine "ü"', input: ['a', 'b'] }, kind, upstreamOf([0.5, -0.25], [1, 0])),
    ).toEqual({
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: [0.5, -0.25] },
        { object: 'embedding', index: 1, embedding: [1, 0] },
      ],
      model: 'mine "ü"',
      usage,
    });
  });

  it('counts what the backend counted', () => {
    expect(tell(operationOf({ input: 'a' }), kind, upstreamOf([1])).usage).toEqual({
      prompt: tokens,
      completion: 0,
      cached: 0,
      reasoning: 0,
    });
    const uncounted: JsonObject = { ...upstreamOf([1]), usage: null, prompt_eval_count: undefined };
    const { text, usage: counted } = tell(operationOf({ input: 'a' }), kind, uncounted);
    expect(counted).toBeNull();
    expect(JSON.parse(text)).toMatchObject({ usage: { prompt_tokens: 0, total_tokens: 0 } });
  });

  it('is packed to the byte when base64 was asked for', () => {
    const body = { input: ['a', 'b'], encoding_format: 'base64' };
    const { data } = answerOf(body, kind, upstreamOf([0.5, -0.25], [1, 0.1]));
    expect(data.map(({ embedding }) => embedding)).toEqual(['AAAAPwAAgL4=', 'AACAP83MzD0=']);
  });

  it('is not packed with a number that has no float32', () => {
    const upstream = JSON.stringify(upstreamOf('HERE')).replace('"HERE"', '[1, 1e39]');
    const body = { input: 'a', encoding_format: 'base64' };
    expect(failureOf(() => answerOf(body, kind, upstream))).toMatchObject({
      status: 502,
      code: 'upstream_invalid_response',
    });
  });

  it('leaves numbers as they stand, to the last digit', () => {
    const digits = '[1e-07, -0.0,0.10000000149011612,\n3]';
    const upstream = JSON.stringify(upstreamOf('HERE')).replace('"HERE"', digits);
    expect(tell(operationOf({ input: 'a' }), kind, upstream).text).toContain(`"embedding":${digits}`);
  });

  it('has the float32 of every number in both encodings', () => {
    const vector = fc.array(fc.float({ noDefaultInfinity: true, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(vector, (numbers) => {
        const packed = answerOf({ input: 'a', encoding_format: 'base64' }, kind, upstreamOf(numbers));
        const plain = answerOf({ input: 'a', encoding_format: 'float' }, kind, upstreamOf(numbers));
        const wanted = numbers.map((number) => (Object.is(number, -0) ? 0 : number));
        expect(readBase64(packed.data[0]?.embedding)).toEqual(wanted);
        expect(plain.data[0]?.embedding).toEqual(wanted);
      }),
    );
  });

  it.each<[string, unknown[]]>([
    ['has none', []],
    ['has too few', [[1]]],
    ['has too many', [[1], [2], [3]]],
    ['has something else in place of a vector', [[1], null]],
    ['has something else in place of a number', [[1], [null]]],
    ['has text in place of a number', [[1], ['0.5']]],
    ['has an empty vector', [[1], []]],
    ['has vectors of different lengths', [[1], [1, 2]]],
    ['has vectors of vectors', [[[1]], [[2]]]],
  ])('that %s is the backend’s failure', (_, embeddings) => {
    const error = failureOf(() => answerOf({ input: ['a', 'b'] }, kind, upstreamOf(...embeddings)));
    expect(error).toMatchObject({ status: 502, code: 'upstream_invalid_response', tryOthers: true });
  });

  it.each(['', 'null', '[]', '{"', '<html>', '{"embeddings":[[NaN]],"data":[{"embedding":[NaN]}]}'])(
    'that is %j is the backend’s failure',
    (body) => {
      expect(failureOf(() => answerOf({ input: 'a' }, kind, body))).toMatchObject({
        status: 502,
        code: 'upstream_invalid_response',
      });
    },
  );

  it('that is larger than the gateway holds is the backend’s failure', () => {
    const numbers = Array.from({ length: MAX_RESPONSE_BYTES / 2 }, () => 1);
    expect(failureOf(() => answerOf({ input: 'a' }, kind, upstreamOf(numbers)))).toMatchObject({
      code: 'upstream_invalid_response',
      message: expect.stringContaining('Send fewer inputs'),
    });
  });

  it('with vectors of another length than was asked for is refused, and what can be had is told', () => {
    expect(failureOf(() => answerOf({ input: 'a', dimensions: 3 }, kind, upstreamOf([1, 2])))).toMatchObject({
      status: 400,
      param: 'dimensions',
      tryOthers: false,
      message: expect.stringMatching(/have 2 numbers.* 3\b/),
    });
    expect(answerOf({ input: 'a', dimensions: 2 }, kind, upstreamOf([1, 2])).data).toHaveLength(1);
  });
});

describe('an answer in OpenAI’s format', () => {
  const inputs = { input: ['a', 'b', 'c'] };

  it('is put in the order of its indices', () => {
    const data = [2, 0, 1].map((index) => ({ index, embedding: [index] }));
    const answer = answerOf(inputs, 'vllm', { data });
    expect(answer.data.map(({ index, embedding }) => [index, embedding])).toEqual([
      [0, [0]],
      [1, [1]],
      [2, [2]],
    ]);
  });

  it('is taken as it stands without indices', () => {
    const data = [0, 1, 2].map((number) => ({ embedding: [number] }));
    expect(answerOf(inputs, 'vllm', { data }).data.map(({ embedding }) => embedding)).toEqual([
      [0],
      [1],
      [2],
    ]);
  });

  it.each([[[0, 0, 1]], [[0, 1, 3]], [[0, 1, -1]], [[0, 1, 1.5]], [[0, 1, '2']], [[0, 1, 'length']]])(
    'with the indices %j is invalid',
    (indices) => {
      const data = indices.map((index) => ({ index, embedding: [1] }));
      expect(failureOf(() => answerOf(inputs, 'vllm', { data }))).toMatchObject({
        code: 'upstream_invalid_response',
      });
    },
  );

  it('passes base64 as it came, and turns it into numbers for who wants numbers', () => {
    const upstream = listOf('AACAP83MzD0=');
    expect(answerOf({ input: 'a', encoding_format: 'base64' }, 'vllm', upstream).data[0]?.embedding).toBe(
      'AACAP83MzD0=',
    );
    const [plain] = answerOf({ input: 'a' }, 'vllm', upstream).data;
    expect(plain?.embedding).toEqual([1, Math.fround(0.1)]);
  });

  it.each([
    ['what is no base64', 'AA"APw=='],
    ['half a number', 'AACA'],
    ['nothing', ''],
    ['not a number', Buffer.from(Float32Array.of(NaN).buffer).toString('base64')],
    ['infinity', Buffer.from(Float32Array.of(Infinity).buffer).toString('base64')],
  ])('with base64 of %s is invalid', (_, text) => {
    const body = { input: 'a', encoding_format: 'base64' };
    expect(failureOf(() => answerOf(body, 'vllm', listOf(text)))).toMatchObject({
      code: 'upstream_invalid_response',
    });
  });

  it.each<[unknown, object]>([
    [
      { error: 'Unexpected endpoint or method. (POST /v1/embeddings)' },
      { status: 502, code: 'upstream_error' },
    ],
    [
      { object: 'error', message: 'no such thing', type: 'BadRequestError', code: 400 },
      { status: 400, code: null },
    ],
    [
      {
        error: {
          message: "This model's maximum context length is 512 tokens.",
          type: 'invalid_request_error',
        },
      },
      { status: 400, code: 'context_length_exceeded' },
    ],
  ])('that is the error %j is that error', (upstream, error) => {
    expect(failureOf(() => answerOf({ input: 'a' }, 'lmstudio', upstream))).toMatchObject(error);
  });
});

describe('a large batch', () => {
  const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `text ${String(i)}`);

  function split(body: JsonObject): Split {
    const result = operationOf(body).split?.([kinds.ollama]);
    if (!result) throw new Error('it was not split');
    return result;
  }

  /** As if every text were answered with its number. */
  function upstreamFor(body: string): JsonObject {
    const { input } = JSON.parse(body) as { input: string[] };
    return ollamaOf(...input.map((text) => [Number(text.slice('text '.length)), 1]));
  }

  function runPart(part: Split['parts'][number], upstream?: JsonObject): { body: ByteText; usage: null } {
    const request = part.upstreamRequest(kinds.ollama, targetOfOllama);
    return {
      body: tell(part, 'ollama', upstream ?? upstreamFor(request.body ?? '')).text as ByteText,
      usage: null,
    };
  }

  it('is one call up to 64 inputs, and several of even size beyond', () => {
    const sizes = (count: number): number[] =>
      (operationOf({ input: texts(count) }).split?.([kinds.ollama])?.parts ?? []).map(
        (part) =>
          (JSON.parse(part.upstreamRequest(kinds.ollama, targetOfOllama).body ?? '') as { input: unknown[] })
            .input.length,
      );
    expect(sizes(1)).toEqual([]);
    expect(sizes(64)).toEqual([]);
    expect(sizes(65)).toEqual([32, 33]);
    expect(sizes(2048)).toEqual(Array.from({ length: 32 }, () => 64));
  });

  it('comes back in order, whichever part is ready first', () => {
    const { parts, conclude } = split({ input: texts(200), encoding_format: 'float' });
    const results = new Map([...parts.entries()].reverse().map(([i, part]) => [i, runPart(part)]));
    const { bytes } = conclude(parts.map((_, i) => results.get(i) ?? { body: '' as ByteText, usage: null }));
    const { data, model } = JSON.parse(bytes) as Answer;
    expect(model).toBe('e');
    expect(data.map(({ index, embedding }) => [index, embedding[0]])).toEqual(
      texts(200).map((_, i) => [i, i]),
    );
  });

  it('counts the tokens of all parts', () => {
    const { conclude } = split({ input: texts(65) });
    const usage = { prompt: 7, completion: 0, cached: 0, reasoning: 0 };
    const part = (body: string, counted: typeof usage | null) => ({ body: body as ByteText, usage: counted });
    const { bytes, usage: sum } = conclude([part('{}', usage), part('{}', { ...usage, prompt: 5 })]);
    expect(sum).toEqual({ ...usage, prompt: 12 });
    expect(JSON.parse(bytes)).toMatchObject({ usage: { prompt_tokens: 12, total_tokens: 12 } });
    expect(conclude([part('{}', null), part('{}', null)]).usage).toBeNull();
  });

  it('of different models under one name is not told as one', () => {
    const { parts, conclude } = split({ input: texts(65) });
    const [first, second] = parts;
    if (!first || !second) throw new Error('two parts expected');
    const results = [
      runPart(first, ollamaOf(...texts(32).map(() => [1, 2]))),
      runPart(second, ollamaOf(...texts(33).map(() => [1, 2, 3]))),
    ];
    expect(failureOf(() => conclude(results))).toMatchObject({
      status: 502,
      code: 'upstream_invalid_response',
      message: expect.stringContaining('different lengths'),
    });
  });

  it('whose answer would be larger than the gateway holds is refused', () => {
    const { parts } = split({ input: texts(2048) });
    const wide = Array.from({ length: 2000 }, () => 0.1);
    const run = (): void => {
      for (const part of parts) runPart(part, ollamaOf(...texts(64).map(() => wide)));
    };
    expect(failureOf(run)).toMatchObject({ status: 400, param: 'input', tryOthers: false });
  });
});
