/** Text completions with the published `openai` package, in front of Ollama and of a server of OpenAI's format. */

import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { expectAnswer, expectStream } from '../../contract/answers.ts';
import { sse, type Script, type ScriptedBackend, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { failureOf } from './failure-of.ts';

const setup = createSetup();
const COMPLETIONS = 'POST /v1/completions';

/** Continues each prompt with ` after <prompt>`, in two pieces. */
const continuing: Script = async (call) => {
  const { prompt, logprobs, stream, n } = call.body;
  if (call.path === '/api/generate') {
    const record = (response: string, more: object = {}): string =>
      `${JSON.stringify({ model: 'm', response, done: false, ...more })}\n`;
    const probable = (token: string): object =>
      logprobs === true
        ? { logprobs: [{ token, logprob: -0.5, top_logprobs: [{ token, logprob: -0.5 }] }] }
        : {};
    await call.write(
      record(' after ', probable(' after ')) + record(String(prompt), probable(String(prompt))),
    );
    call.end(record('', { done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 2 }));
    return;
  }
  const prompts = (Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt : [prompt]) as unknown[];
  const texts = prompts.flatMap((each) =>
    Array<string>(Number(n ?? 1)).fill(` after ${JSON.stringify(each)}`),
  );
  const head = { id: 'cmpl-up', object: 'text_completion', created: 1, model: 'up' };
  const usage = { prompt_tokens: 3 * prompts.length, completion_tokens: 2 * texts.length, total_tokens: 0 };
  const choices = texts.map((text, index) => ({
    text,
    index,
    logprobs: null,
    finish_reason: 'stop',
    stop_reason: null,
  }));
  if (stream !== true) {
    call.res.setHeader('content-type', 'application/json').end(JSON.stringify({ ...head, choices, usage }));
    return;
  }
  call.res.setHeader('content-type', 'text/event-stream');
  for (const choice of choices)
    await call.write(sse({ ...head, choices: [{ ...choice, finish_reason: null }] }));
  for (const { index } of choices) {
    await call.write(sse({ ...head, choices: [{ text: '', index, logprobs: null, finish_reason: 'stop' }] }));
  }
  call.end(sse({ ...head, choices: [], usage }) + sse('[DONE]'));
};

async function open(
  variable: string,
  script: Script = continuing,
  capabilities?: readonly string[],
): Promise<{ client: OpenAI; backend: ScriptedBackend; url: string }> {
  const backend = await setup.backend(script, capabilities ? { capabilities } : {});
  const { url } = await setup.gateway({ env: { [variable]: backend.url } });
  return { backend, url, client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'x', maxRetries: 0 }) };
}

const bodyOf = (calls: readonly ScriptedCall[]): Record<string, unknown> => calls[0]?.body ?? {};

describe.each([
  ['Ollama', 'OLLAMA_BASE_URL', (prompt: string) => ` after ${prompt}`],
  ['vLLM', 'VLLM_BASE_URL', (prompt: string) => ` after "${prompt}"`],
])('in front of %s', (_, variable, continued) => {
  it('continues a text', async () => {
    const { client } = await open(variable);
    const answer = await client.completions.create({ model: 'm', prompt: 'Once' });
    expect(answer).toMatchObject({
      object: 'text_completion',
      model: 'm',
      choices: [{ text: continued('Once'), index: 0, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    expect(answer.id).toMatch(/^cmpl-/);
  });

  it('streams it, with the usage at the end', async () => {
    const { client } = await open(variable);
    const stream = await client.completions.create({
      model: 'm',
      prompt: 'Once',
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    const ids = new Set<string>();
    let usage: unknown;
    let finish: unknown;
    for await (const chunk of stream) {
      ids.add(chunk.id);
      text += chunk.choices[0]?.text ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    expect({ text, finish, ids: ids.size }).toEqual({ text: continued('Once'), finish: 'stop', ids: 1 });
    expect(usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 2 });
  });

  it('continues several texts several times, in order, each prompt counted once', async () => {
    const { client } = await open(variable);
    const { choices, usage } = await client.completions.create({ model: 'm', prompt: ['a', 'b'], n: 2 });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, continued('a')],
      [1, continued('a')],
      [2, continued('b')],
      [3, continued('b')],
    ]);
    expect(usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 8 });
  });

  it('streams several under one id', async () => {
    const { client } = await open(variable);
    const stream = await client.completions.create({ model: 'm', prompt: ['a', 'b'], stream: true });
    const texts = ['', ''];
    for await (const { choices } of stream) {
      for (const { index, text } of choices) texts[index] = `${String(texts[index])}${text}`;
    }
    expect(texts).toEqual([continued('a'), continued('b')]);
  });

  it('answers as its description says', async () => {
    const { url } = await open(variable);
    const ask = (body: object): Promise<Response> =>
      fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', prompt: 'x', ...body }),
      });
    expect((await expectAnswer(COMPLETIONS, await ask({}))).status).toBe(200);
    expect((await expectStream(COMPLETIONS, await ask({ stream: true }))).isDone).toBe(true);
  });

  it('never tells a cut stream as a whole one', async () => {
    const { client } = await open(variable, async (call) => {
      await call.write(
        call.path === '/api/generate'
          ? '{"response":"x","done":false}\n'
          : sse({ choices: [{ text: 'x', index: 0, finish_reason: null }] }),
      );
      call.end();
    });
    const reading = (async () => {
      const stream = await client.completions.create({ model: 'm', prompt: 'x', stream: true });
      for await (const chunk of stream) expect(chunk.choices[0]?.finish_reason ?? null).toBeNull();
    })();
    expect(await failureOf(reading)).toMatchObject({ code: 'upstream_incomplete_response' });
  });

  it.each([
    [{ prompt: [] }, 'prompt'],
    [{ prompt: 7 }, 'prompt'],
    [{ prompt: [[]] }, 'prompt[0]'],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ logprobs: 6 }, 'logprobs'],
    [{ best_of: 1, n: 2 }, 'best_of'],
    [{ stream_options: {} }, 'stream_options'],
    [{ temperature: 3 }, 'temperature'],
    [{ n: 9 }, 'n'],
    [{ prompt: Array<string>(65).fill('x'), n: 2 }, 'prompt'],
  ])('refuses %j', async (members, param) => {
    const { client, backend } = await open(variable);
    const asked = client.completions.create({
      model: 'm',
      prompt: 'x',
      ...members,
    } as OpenAI.CompletionCreateParamsNonStreaming);
    expect(await failureOf(asked)).toMatchObject({ status: 400, param });
    expect(backend.calls).toEqual([]);
  });
});

describe('Ollama', () => {
  const OLLAMA = 'OLLAMA_BASE_URL';

  it('gets the text raw, and its options', async () => {
    const { client, backend } = await open(OLLAMA);
    await client.completions.create({ model: 'm', prompt: 'Once', max_tokens: 2, seed: 7, stop: 'x' });
    expect(bodyOf(backend.calls)).toEqual({
      model: 'm',
      prompt: 'Once',
      raw: true,
      stream: true,
      truncate: false,
      options: { num_predict: 2, seed: 7, stop: ['x'] },
    });
  });

  it('echoes the prompt, and counts offsets from its start', async () => {
    const { client } = await open(OLLAMA);
    const { choices } = await client.completions.create({
      model: 'm',
      prompt: 'Once',
      echo: true,
      logprobs: 1,
    });
    expect(choices[0]).toMatchObject({
      text: 'Once after Once',
      logprobs: {
        tokens: [' after ', 'Once'],
        token_logprobs: [-0.5, -0.5],
        top_logprobs: [{ ' after ': -0.5 }, { Once: -0.5 }],
        text_offset: [4, 11],
      },
    });
  });

  it('fills in the middle through the template, if the model can', async () => {
    const { client, backend } = await open(OLLAMA, continuing, ['completion', 'insert']);
    await client.completions.create({ model: 'm', prompt: 'def f(', suffix: 'return x' });
    expect(bodyOf(backend.calls)).toMatchObject({ prompt: 'def f(', suffix: 'return x' });
    expect(bodyOf(backend.calls)).not.toHaveProperty('raw');
    const other = await open(OLLAMA, continuing, ['completion']);
    const asked = other.client.completions.create({ model: 'm', prompt: 'x', suffix: 'y' });
    expect(await failureOf(asked)).toMatchObject({
      status: 400,
      param: 'suffix',
      code: 'unsupported_parameter',
    });
  });

  it("gets the text in the model's template where the operator says so, without thinking", async () => {
    const backend = await setup.backend(continuing);
    const { url } = await setup.gateway({
      file: `
backends: [{ name: b, kind: ollama, url: "${backend.url}" }]
models: { m: { completionTemplate: true } }`,
    });
    await new OpenAI({ baseURL: `${url}/v1`, apiKey: 'x' }).completions.create({
      model: 'm',
      prompt: 'Once',
    });
    expect(bodyOf(backend.calls)).toMatchObject({ prompt: 'Once', think: false });
    expect(bodyOf(backend.calls)).not.toHaveProperty('raw');
  });

  it('gets tokens as text', async () => {
    const { client, backend } = await open(OLLAMA);
    await client.completions.create({ model: 'm', prompt: [[9906, 1917], [9906]] });
    expect(backend.calls.map(({ body }) => body.prompt).sort()).toEqual(['Hello', 'Hello world']);
    const asked = client.completions.create({ model: 'm', prompt: [999_999] });
    expect(await failureOf(asked)).toMatchObject({ status: 400 });
  });

  it.each([
    [{ best_of: 2 }, 'best_of'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ logit_bias: { 1: 1 } }, 'logit_bias'],
  ])('is not asked for %j', async (members, param) => {
    const { client, backend } = await open(OLLAMA);
    const asked = client.completions.create({ model: 'm', prompt: 'x', ...members });
    expect(await failureOf(asked)).toMatchObject({ status: 400, param, code: 'unsupported_parameter' });
    expect(backend.calls).toEqual([]);
  });

  it('names what it ignores', async () => {
    const { client } = await open(OLLAMA);
    const { response } = await client.completions
      .create({ model: 'm', prompt: 'x', user: 'u' })
      .withResponse();
    expect(response.headers.get('x-gateway-ignored-params')).toBe('user');
  });
});

it('vLLM gets everything as it is, in one call', async () => {
  const { client, backend } = await open('VLLM_BASE_URL');
  const body = {
    model: 'm',
    prompt: [[1, 2], [3]],
    n: 2,
    best_of: 3,
    echo: true,
    logit_bias: { 1: 1 },
    user: 'u',
  };
  await client.completions.create(body);
  expect(backend.calls).toHaveLength(1);
  expect(bodyOf(backend.calls)).toEqual(body);
});
