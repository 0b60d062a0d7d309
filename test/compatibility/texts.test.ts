/** Texts to continue and texts to embed, with each kind of backend. */

import { describe, expect, it } from '@jest/globals';
import { KINDS } from '../../src/core/fleet.ts';
import type { Script, ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { inFrontOf } from './fleet-of-one.ts';
import { proves } from './proves.ts';

const setup = createSetup();

/** Those that read arrays of tokens; for the others the gateway decodes them. */
const READING_TOKENS = {
  completion: ['vllm', 'openai', 'llamacpp'],
  embedding: ['vllm', 'openai', 'llamacpp'],
};

/** As many prompts or inputs as there are in a body. */
function textsOf(given: unknown): unknown[] {
  return Array.isArray(given) && typeof given[0] !== 'number' ? given : [given];
}

/** Continues each text with ` and so on`. */
const continuing: Script = ({ path, body, end }) => {
  if (path === '/api/generate') {
    const counts = { prompt_eval_count: 3, eval_count: 2 };
    end(`${JSON.stringify({ response: ' and so on', done: true, done_reason: 'stop', ...counts })}\n`);
    return;
  }
  const choices = textsOf(body.prompt).map((_, index) => ({
    text: ' and so on',
    index,
    logprobs: null,
    finish_reason: 'stop',
  }));
  const usage = { prompt_tokens: 3 * choices.length, completion_tokens: 2 * choices.length };
  end(JSON.stringify({ id: 'c', object: 'text_completion', created: 1, model: 'up', choices, usage }));
};

/** Every text has the same vector. */
const embedding: Script = ({ path, body, end }) => {
  const vectors = textsOf(body.input).map(() => [0.5, -0.25]);
  const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: vector }));
  const usage = { prompt_tokens: 3, total_tokens: 3 };
  end(
    JSON.stringify(
      path === '/api/embed'
        ? { embeddings: vectors, prompt_eval_count: 3 }
        : { object: 'list', data, model: 'up', usage },
    ),
  );
};

const pathsOf = (calls: readonly ScriptedCall[]): string[] => calls.map(({ path }) => path);

describe.each(KINDS)('%s', (kind) => {
  const isOllama = kind === 'ollama';
  const isOneCall = kind === 'vllm' || kind === 'openai';

  it('continues a text', async () => {
    const { post, backend } = await inFrontOf(setup, kind, continuing);
    const { status, body } = await post('/v1/completions', { model: 'm', prompt: 'Once', max_tokens: 5 });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      object: 'text_completion',
      model: 'm',
      choices: [{ text: ' and so on', index: 0, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    expect(pathsOf(backend.calls)).toEqual([isOllama ? '/api/generate' : '/v1/completions']);
    expect(backend.calls[0]?.body).toMatchObject(
      isOllama
        ? { prompt: 'Once', raw: true, options: { num_predict: 5 } }
        : { prompt: 'Once', max_tokens: 5 },
    );
    proves('completion', kind, 'yes');
  });

  it('continues several, in order', async () => {
    const { post, backend } = await inFrontOf(setup, kind, continuing);
    const { body } = await post('/v1/completions', { model: 'm', prompt: ['a', 'b'] });
    expect(body).toMatchObject({
      choices: [
        { index: 0, text: ' and so on' },
        { index: 1, text: ' and so on' },
      ],
      usage: { prompt_tokens: 6, completion_tokens: 4 },
    });
    const prompts = backend.calls.map((call) => call.body.prompt);
    expect(isOneCall ? prompts : prompts.sort()).toEqual(isOneCall ? [['a', 'b']] : ['a', 'b']);
    proves('prompts', kind, isOneCall ? 'as it is' : 'by the gateway');
  });

  it('embeds texts', async () => {
    const { post, backend } = await inFrontOf(setup, kind, embedding);
    const { body } = await post('/v1/embeddings', { model: 'm', input: ['a', 'b'] });
    expect(body).toEqual({
      object: 'list',
      data: [0, 1].map((index) => ({ object: 'embedding', index, embedding: [0.5, -0.25] })),
      model: 'm',
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
    expect(pathsOf(backend.calls)).toEqual([isOllama ? '/api/embed' : '/v1/embeddings']);
    // The encoding that OpenAI's SDK asks for unless it is told otherwise: little-endian float32.
    const packed = await post('/v1/embeddings', { model: 'm', input: 'a', encoding_format: 'base64' });
    expect(packed.body.data).toMatchObject([{ embedding: 'AAAAPwAAgL4=' }]);
    proves('embedding', kind, 'yes');
  });

  it('is given tokens', async () => {
    const texts = await inFrontOf(setup, kind, continuing);
    await texts.post('/v1/completions', { model: 'm', prompt: [9906, 1917] });
    const isRead = READING_TOKENS.completion.includes(kind);
    expect(texts.backend.calls[0]?.body.prompt).toEqual(isRead ? [9906, 1917] : 'Hello world');
    const vectors = await inFrontOf(setup, kind, embedding);
    await vectors.post('/v1/embeddings', { model: 'm', input: [[9906, 1917], [9906]] });
    expect(vectors.backend.calls[0]?.body.input).toEqual(
      READING_TOKENS.embedding.includes(kind) ? [[9906, 1917], [9906]] : ['Hello world', 'Hello'],
    );
    proves('tokens', kind, isRead ? 'as it is' : 'by the gateway');
  });
});
