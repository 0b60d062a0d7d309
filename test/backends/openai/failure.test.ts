/** Errors of OpenAI-compatible servers: what they mean, and what of their words goes on. */

import { describe, expect, it } from '@jest/globals';
import { openaiFailure } from '../../../src/backends/openai/failure.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import { encodeUtf8 } from '../../../src/wire/utf8.ts';

function failure(status: number, body: unknown): GatewayError {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return openaiFailure({ status, headers: {}, body: encodeUtf8(text), model: 'm' });
}

describe('a status that speaks of the address and not of the request', () => {
  it.each([
    ['of FastAPI', 404, { detail: 'Not Found' }],
    ['of FastAPI', 405, { detail: 'Method Not Allowed' }],
    ['of llama.cpp', 404, { error: { code: 404, message: 'File Not Found', type: 'not_found_error' } }],
    ['of OpenAI', 404, { error: { message: 'Invalid URL (POST /v1/v1/x)', type: 'x', code: null } }],
    ['of OpenAI', 404, { error: { message: 'No.', type: 'x', code: 'unknown_url' } }],
    ['of LM Studio', 404, { error: 'Unexpected endpoint or method. (POST /x)' }],
    ['of nobody', 405, ''],
    ['in OpenAI’s form', 405, { error: { message: 'no', type: 'x', code: null } }],
  ])('%s is no answer: %d %j', (_, status, body) => {
    expect(failure(status, body)).toMatchObject({ reason: 'upstream_invalid_response', status: 502 });
  });

  it.each([
    { error: { message: 'The model `m` does not exist.', type: 'NotFoundError', code: 404 } },
    { object: 'error', message: 'The model `m` does not exist.', type: 'NotFoundError', code: 404 },
    { detail: 'Model m not found' },
    { error: 'model not loaded' },
  ])('is not seen in words about a model: %j', (body) => {
    expect(failure(404, body).reason).toBe('upstream_model_not_found');
  });
});

it('a request that the server gave up is a timeout', () => {
  expect(failure(408, { error: { message: 'x' } })).toMatchObject({
    reason: 'upstream_timeout',
    status: 504,
  });
  expect(failure(408, '')).toMatchObject({ tryOthers: true, countsAgainstBackend: true });
});

describe('the complaints of a validator', () => {
  const secret = { model: 'm', messages: [{ role: 'user', content: 'MY "SECRET" PROMPT' }] };
  it.each([
    [
      'of FastAPI',
      422,
      {
        detail: [
          {
            type: 'int_parsing',
            loc: ['body', 'top_k'],
            msg: 'Input should be a valid integer',
            input: secret,
          },
          { type: 'missing', loc: ['body', 'messages', 0, 'role'], msg: 'Field required', input: secret },
        ],
      },
      'top_k: Input should be a valid integer; messages.0.role: Field required',
    ],
    [
      'of older vLLM',
      400,
      {
        object: 'error',
        message: `[{'type': 'int_parsing', 'loc': ('body', 'top_k'), 'msg': 'Input should be a valid integer', 'input': {'content': 'MY SECRET PROMPT'}}, {'type': 'missing', 'loc': ('body', 'x', 0), 'msg': "Field 'x' required", 'input': {'content': 'MY SECRET PROMPT'}, 'ctx': {}}]`,
      },
      "top_k: Input should be a valid integer; x.0: Field 'x' required",
    ],
    [
      'of newer vLLM',
      400,
      {
        error: {
          message: `1 validation error:\n  {'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required', 'input': {'prompt': 'MY SECRET PROMPT'}}`,
        },
      },
      'messages: Field required',
    ],
    [
      'that is cut off',
      400,
      { error: { message: `bad 'loc': ('body', ${'"a", '.repeat(2000)} 'input': 'MY SECRET PROMPT'` } },
      "bad 'loc':",
    ],
    [
      'of pydantic',
      400,
      {
        error: {
          message: `1 validation error for ChatCompletionRequest\ntop_k\n  Input should be a valid integer, unable to parse [type=int_parsing, input_value='MY SECRET PROMPT', input_type=str]`,
        },
      },
      '1 validation error for ChatCompletionRequest\ntop_k\n  Input should be a valid integer, unable to parse [type=int_parsing]',
    ],
    [
      'that are none',
      422,
      { detail: { input: 'MY SECRET PROMPT' } },
      'The upstream server reported an error.',
    ],
    [
      'that say no more',
      400,
      { error: `'input': 'MY SECRET PROMPT'` },
      'The upstream server reported an error.',
    ],
    ['within one', 400, { detail: { error: { message: 'no' } } }, 'no'],
    ['in plain words', 400, { detail: 'no such input: x' }, 'no such input: x'],
  ])('%s (%d) are told without what was sent', (_, status, body, message) => {
    const error = failure(status, body);
    expect(error).toMatchObject({ reason: 'invalid_request', status: 400 });
    expect(error.message).not.toContain('SECRET');
    expect(error.message.slice(0, message.length)).toBe(message);
  });
});

it('codes and parameters that are none are left out', () => {
  const words = 'a prompt with spaces';
  expect(failure(400, { error: { message: 'x', param: words, code: words } })).toMatchObject({
    param: null,
    code: null,
  });
  expect(
    failure(400, { error: { message: 'x', param: 'messages.[0].content', code: 'string_above_max_length' } }),
  ).toMatchObject({ param: 'messages.[0].content', code: 'string_above_max_length' });
});
