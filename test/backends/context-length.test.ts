/** A prompt that does not fit: whoever says it, and however, the client reads OpenAI's code and sentence. */

import { describe, expect, it } from '@jest/globals';
import { kinds } from '../../src/backends/index.ts';
import type { KindName } from '../../src/core/fleet.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';

const both = (param = 'messages'): string =>
  `This model's maximum context length is 4096 tokens. However, your ${param} resulted in 9000 tokens. Please reduce the length of the ${param}.`;
const LIMIT = "This model's maximum context length is 4096 tokens. Please reduce the length of the messages.";
const UNKNOWN =
  /^This model's maximum context length is exceeded\. Please reduce the length of the messages\. \(.+\)$/;

const NUMBERS = 'request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it';
const nested = (more: object): string =>
  JSON.stringify({ error: { code: 400, message: 'too long', type: 'exceed_context_size_error', ...more } });
const error = (message: string, more: object = {}): object => ({
  error: { message, type: 'x', code: 400, ...more },
});

type Case = readonly [kind: KindName, status: number, body: unknown, sentence: string | RegExp];

const CASES: readonly Case[] = [
  ['ollama', 400, { error: nested({ n_prompt_tokens: 9000, n_ctx: 4096 }) }, both()],
  ['ollama', 500, { error: nested({ message: NUMBERS }) }, both()],
  ['ollama', 400, { error: NUMBERS }, both()],
  [
    'ollama',
    400,
    { error: 'the prompt is longer than the context length currently available to the model; shorten it' },
    UNKNOWN,
  ],
  ['ollama', 400, { error: 'the input length exceeds the context length' }, UNKNOWN],
  ['ollama', 400, { error: 'input length exceeds maximum context length' }, UNKNOWN],
  ['ollama', 400, { error: 'input exceeds maximum context length and cannot be truncated further' }, UNKNOWN],
  [
    'llamacpp',
    400,
    error('too long', { type: 'exceed_context_size_error', n_prompt_tokens: 9000, n_ctx: 4096 }),
    both(),
  ],
  ['llamacpp', 400, error(NUMBERS), both()],
  ['llamacpp', 500, error('the request exceeds the available context size. try increasing it'), UNKNOWN],
  ['vllm', 400, error("This model's maximum context length is 4096 tokens."), LIMIT],
  [
    'vllm',
    400,
    { object: 'error', message: "This model's maximum context length is 4096 tokens.", code: 400 },
    LIMIT,
  ],
  [
    'vllm',
    400,
    error(
      'The decoder prompt (length 9000) is longer than the maximum model length of 4096. Make sure that it is not',
    ),
    both(),
  ],
  ['vllm', 400, error("Input length (9000) exceeds model's maximum context length (4096)."), both()],
  [
    'lmstudio',
    400,
    {
      error:
        'Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.',
    },
    both(),
  ],
  ['openai', 413, error('too long', { code: 'context_length_exceeded' }), UNKNOWN],
];

describe('a prompt that does not fit', () => {
  it.each(CASES)('%s with %d: %j', (kind, status, body, sentence) => {
    const failure = kinds[kind].failure({
      status,
      headers: {},
      body: encodeUtf8(JSON.stringify(body)),
      model: 'm',
    });
    expect(failure).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
    if (typeof sentence === 'string') expect(failure.message).toBe(sentence);
    else expect(failure.message).toMatch(sentence);
  });

  it('is told in the server’s own words where they are OpenAI’s', () => {
    const message =
      "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion).";
    const body = encodeUtf8(JSON.stringify(error(message)));
    expect(kinds.vllm.failure({ status: 400, headers: {}, body, model: 'm' }).message).toBe(message);
  });

  it('names the parameter that held it', () => {
    const body = encodeUtf8(JSON.stringify({ error: NUMBERS }));
    const failure = kinds.ollama.failure({
      status: 400,
      headers: {},
      body,
      model: 'm',
      promptParam: 'prompt',
    });
    expect(failure).toMatchObject({ param: 'prompt', message: both('prompt') });
  });
});

it.each<readonly [KindName, object]>([
  ['vllm', error('max_tokens must be at least 1')],
  ['vllm', error('The length of the messages must not be 0')],
  ['ollama', { error: 'context deadline exceeded' }],
  ['ollama', { error: 'invalid format: expected "json"' }],
])('another error of %s is not taken for it: %j', (kind, body) => {
  const failure = kinds[kind].failure({
    status: 400,
    headers: {},
    body: encodeUtf8(JSON.stringify(body)),
    model: 'm',
  });
  expect(failure.reason).toBe('invalid_request');
});
