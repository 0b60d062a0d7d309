/** What is the same for the bodies of all surfaces: seeds, wording, and requests that are made to be slow. */

import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { GatewayError } from '../../src/core/errors.ts';
import { listOf } from '../../src/surfaces/lists.ts';
import { toChatRequest } from '../../src/surfaces/openai-chat/request.ts';
import { toCompletionRequest } from '../../src/surfaces/openai-completions/request.ts';
import { toEmbeddingRequest } from '../../src/surfaces/openai-embeddings/request.ts';

const MESSAGES = '"messages":[{"role":"user","content":"x"}]';

const chat = (members: string): unknown => toChatRequest(`{"model":"m",${members}}`);

function failureOf(work: () => unknown): Partial<GatewayError> {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  return {};
}

describe('a seed', () => {
  const seedOf = (text: string): unknown =>
    toChatRequest(`{"model":"m",${MESSAGES},"seed":${text}}`).body.seed;

  it.each([
    ['7', 7],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9007199254740993', 9007199254740993n],
    ['1e18', 10n ** 18n],
  ])('of 64 bits is read to the last digit: %s', (text, seed) => {
    expect(seedOf(text)).toBe(seed);
  });

  it.each([
    ['9223372036854775808', 'integer_above_max_value'],
    ['-9223372036854775809', 'integer_below_min_value'],
    ['1e30', 'integer_above_max_value'],
  ])('of more is refused: %s', (text, code) => {
    expect(failureOf(() => seedOf(text))).toMatchObject({ status: 400, param: 'seed', code });
    const completion = (): unknown => toCompletionRequest(`{"model":"m","prompt":"x","seed":${text}}`);
    expect(failureOf(completion)).toMatchObject({ status: 400, param: 'seed', code });
  });
});

describe('a number of the wrong type', () => {
  it.each([
    ['max_tokens', '"5"', 'an integer', 'a string'],
    ['max_tokens', '1.5', 'an integer', 'a decimal number'],
    ['seed', '"5"', 'an integer', 'a string'],
    ['temperature', '"1"', 'a number', 'a string'],
  ])('%s is told as what it should be', (param, value, expected, got) => {
    const { message } = failureOf(() => chat(`${MESSAGES},"${param}":${value}`));
    expect(message).toBe(`Invalid type for '${param}': expected ${expected}, but got ${got} instead.`);
  });
});

it('a prompt that is null is the separator of documents, as OpenAI has it', () => {
  expect(toCompletionRequest('{"model":"m","prompt":null}').prompts).toEqual(['<|endoftext|>']);
  expect(failureOf(() => toCompletionRequest('{"model":"m"}'))).toMatchObject({
    status: 400,
    param: 'prompt',
  });
});

describe('a list', () => {
  it('is not looked at beyond the first item at fault', () => {
    let looks = 0;
    const item = z.string().refine((text) => {
      looks++;
      return text !== 'bad';
    });
    const result = listOf(item, { max: 100 }).safeParse(['good', 'bad', 'bad', 'bad']);
    expect(result.error?.issues).toMatchObject([{ path: [1] }]);
    // The one at fault is asked again, for what is wrong.
    expect(looks).toBe(3);
  });

  it('that is too long is not looked at at all', () => {
    const item = z.unknown().refine(() => {
      throw new Error('looked');
    });
    expect(listOf(item, { max: 2 }).safeParse([1, 2, 3]).error?.issues).toMatchObject([{ code: 'too_big' }]);
  });
});

/** Each of them once took seconds and up to gigabytes; jest's limit on a test ends that. */
describe('a request that is made to be slow is refused at once', () => {
  const MANY = 3_000_000;
  const zeros = `[${'0,'.repeat(MANY)}0]`;
  const empties = `[${'{},'.repeat(MANY)}{}]`;
  const keys = (value: string): string =>
    `{${Array.from({ length: 300_000 }, (_, i) => `"${String(i)}":${value}`).join()}}`;

  it.each([
    ['messages', `"messages":${zeros}`, 'messages'],
    ['parts', `"messages":[{"role":"user","content":${zeros}}]`, 'messages[0].content'],
    ['tool calls', `"messages":[{"role":"assistant","tool_calls":${zeros}}]`, 'messages[0].tool_calls'],
    ['tools', `${MESSAGES},"tools":${zeros}`, 'tools'],
    ['functions', `${MESSAGES},"functions":${zeros}`, 'functions'],
    ['stops', `${MESSAGES},"stop":${zeros}`, 'stop'],
    ['modalities', `${MESSAGES},"modalities":${zeros}`, 'modalities'],
    [
      'allowed tools',
      `${MESSAGES},"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":${zeros}}}`,
      'tool_choice.allowed_tools.tools',
    ],
    ['short messages', `"messages":[${'{"role":"user","content":""},'.repeat(50_000)}0]`, 'messages'],
    ['empty messages', `"messages":${empties}`, null],
    ['empty parts', `"messages":[{"role":"user","content":${empties}}]`, null],
    ['biases', `${MESSAGES},"logit_bias":${keys('"x"')}`, null],
    ['metadata', `${MESSAGES},"metadata":${keys('"x"')}`, null],
    ['options', `${MESSAGES},"options":${keys('1')}`, null],
    ['members', `${MESSAGES},${keys('1').slice(1, -1)}`, null],
  ])('for its %s', (_, members, param) => {
    const before = process.memoryUsage().rss;
    expect(failureOf(() => chat(members))).toMatchObject({ status: 400, param });
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  it('but not for a large batch of tokens', () => {
    const tokens = `[${'1,'.repeat(MANY)}1]`;
    expect(toEmbeddingRequest(`{"model":"m","input":${tokens}}`).inputs[0]).toHaveLength(MANY + 1);
  });
});
