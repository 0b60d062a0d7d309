/** Requests for text completions: what is refused, and what each kind of backend is asked. */

import { describe, expect, it } from '@jest/globals';
import { kinds } from '../../../src/backends/index.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Operation } from '../../../src/core/operation.ts';
import type { KindName, Target } from '../../../src/core/fleet.ts';
import { asked, operationOf, partsOf, targetOf } from './support.ts';

function failureOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** Tokens of these tests stand for their numbers. */
async function prepared(body: JsonObject, kind: KindName): Promise<Operation> {
  const operation = operationOf(body);
  return (
    (await operation.prepare?.(
      [kinds[kind]],
      {
        fetchImage: () => Promise.reject(new Error('there is no image')),
        decodeTokens: (tokens) =>
          tokens.includes(0)
            ? Promise.reject(new GatewayError('invalid_request', { message: 'no such token' }))
            : Promise.resolve(tokens.join('-')),
      },
      new AbortController().signal,
    )) ?? operation
  );
}

function ignored(body: JsonObject, more: Partial<Target> = {}): readonly string[] {
  return operationOf(body).ignoredParams(kinds.ollama, targetOf('ollama', more));
}

describe('a prompt', () => {
  it.each([
    [undefined, 'prompt', 'missing_required_parameter'],
    [[], 'prompt', 'empty_array'],
    [['a', 1], 'prompt[1]', 'invalid_type'],
    [[1, 'a'], 'prompt[1]', 'invalid_type'],
    [[1, -1], 'prompt[1]', 'integer_below_min_value'],
    [[1, 0.5], 'prompt[1]', 'invalid_type'],
    [[[1], []], 'prompt[1]', 'empty_array'],
    [[[1], ['a']], 'prompt[1][0]', 'invalid_type'],
  ])('%j is refused', (prompt, param, code) => {
    expect(failureOf(() => operationOf({ prompt }))).toMatchObject({ status: 400, param, code });
  });

  it('of a million tokens is looked at once', () => {
    const prompt = Array<number>(1_000_000).fill(15);
    expect(asked(operationOf({ prompt }), 'vllm').prompt).toHaveLength(1_000_000);
  });

  it('of a million wrong items is refused for the first of them', () => {
    const prompt = Array<unknown>(1_000_000).fill(null);
    expect(failureOf(() => operationOf({ prompt }))).toMatchObject({ status: 400, param: 'prompt' });
  });

  it('of tokens that stand for nothing is refused by name', async () => {
    await expect(prepared({ prompt: [0] }, 'ollama')).rejects.toMatchObject({ status: 400, param: 'prompt' });
  });

  it.each(['', ['']])('%j is not sent to Ollama, which would load the model and say nothing', (prompt) => {
    const refusal = { status: 400, param: 'prompt', code: 'empty_string' };
    expect(failureOf(() => asked(operationOf({ prompt }), 'ollama'))).toMatchObject(refusal);
    expect(asked(operationOf({ prompt }), 'vllm').prompt).toBe('');
  });
});

describe('max_tokens left out', () => {
  it.each(['ollama', 'vllm', 'llamacpp'] as const)(
    'is 16 for %s in a strict request, and only there',
    (kind) => {
      const limitOf = ({ options, max_tokens: limit }: JsonObject): unknown =>
        kind === 'ollama' ? (options as JsonObject | undefined)?.num_predict : limit;
      for (const body of [{}, { max_tokens: null }]) {
        expect(limitOf(asked(operationOf(body, true), kind))).toBe(16);
        expect(limitOf(asked(operationOf(body), kind)) ?? null).toBeNull();
      }
      expect(limitOf(asked(operationOf({ max_tokens: 3 }, true), kind))).toBe(3);
      const [part] = partsOf(operationOf({ n: 2 }, true), 'ollama');
      expect(asked(part ?? operationOf({}), 'ollama').options).toEqual({ num_predict: 16 });
    },
  );
});

describe('best_of above n', () => {
  it.each([
    ['ollama', { best_of: 2 }],
    ['ollama', { best_of: 3, n: 2 }],
    ['llamacpp', { best_of: 3, n: 2 }],
    ['lmstudio', { best_of: 2 }],
  ] as const)('is refused for %s: %j', (kind, body) => {
    for (const part of partsOf(operationOf(body), kind)) {
      expect(failureOf(() => asked(part, kind))).toMatchObject({
        status: 400,
        param: 'best_of',
        code: 'unsupported_parameter',
      });
    }
  });

  it('as many as n is what n is', () => {
    const parts = partsOf(operationOf({ best_of: 2, n: 2, seed: 7 }), 'ollama');
    expect(parts.map((part) => asked(part, 'ollama').options)).toEqual([{ seed: 7 }, { seed: 8 }]);
  });
});

describe('Ollama', () => {
  it('is asked through the template with a suffix, and without thinking', () => {
    const able = (...more: string[]): Partial<Target> => ({
      model: {
        name: 'm',
        created: 0,
        ownedBy: '',
        digest: '',
        capabilities: ['completion', 'insert', ...more],
      },
    });
    const operation = operationOf({ suffix: 'end' });
    const body = { model: 'm', prompt: 'Once', suffix: 'end', stream: true, truncate: false };
    expect(asked(operation, 'ollama', able())).toEqual(body);
    expect(asked(operation, 'ollama', able('thinking'))).toEqual({ ...body, think: false });
    expect(asked(operation, 'ollama', { upstreamModel: 'gpt-oss:20b' })).toMatchObject({ think: 'low' });
    expect(asked(operationOf({ suffix: '' }), 'ollama')).toMatchObject({ raw: true });
  });

  it('gets its options in their place, and none that nobody has checked', () => {
    const body = { top_k: 3, repetition_penalty: 1.1, options: { min_p: 0.1, num_ctx: 1 } };
    expect(
      asked(operationOf({ ...body, max_completion_tokens: 'x', max_tokens: 2 }), 'ollama').options,
    ).toEqual({ top_k: 3, repeat_penalty: 1.1, min_p: 0.1, num_predict: 2 });
    expect(ignored(body)).toEqual(['options.num_ctx']);
    expect(ignored(body, { requestOptions: ['num_ctx'] })).toEqual([]);
    expect(ignored({ max_completion_tokens: 2, user: 'u', logit_bias: {} })).toEqual([
      'max_completion_tokens',
      'user',
    ]);
  });
});

describe('a server that takes one prompt at a time', () => {
  const REST = { echo: true, suffix: null, best_of: 1, max_tokens: 3 };

  it('llama.cpp gets tokens and none of what it refuses', async () => {
    const operation = await prepared({ prompt: [[1, 2], [3]], n: 2, ...REST, best_of: 2 }, 'llamacpp');
    expect(partsOf(operation, 'llamacpp').map((part) => asked(part, 'llamacpp'))).toEqual(
      [[1, 2], [1, 2], [3], [3]].map((prompt) => ({ model: 'm', prompt, max_tokens: 3 })),
    );
  });

  it('LM Studio gets text', async () => {
    const operation = await prepared({ prompt: [1, 2], ...REST }, 'lmstudio');
    expect(asked(operation, 'lmstudio')).toEqual({ model: 'm', prompt: '1-2', max_tokens: 3 });
  });

  it.each(['llamacpp', 'lmstudio'] as const)('%s is not asked to fill in', (kind) => {
    expect(failureOf(() => asked(operationOf({ suffix: 'x' }), kind))).toMatchObject({
      status: 400,
      param: 'suffix',
    });
  });
});
