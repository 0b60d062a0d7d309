/** The published `ai` package with `@ai-sdk/openai-compatible` against the gateway. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, Output, stepCountIs, streamText, tool, type LanguageModel } from 'ai';
import * as z from 'zod';
import { startDemoBackend } from '../../../src/node/demo/server.ts';
import { type Script, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../../support/setup.ts';
import { failureOf } from './failure-of.ts';
import {
  breakingAfter,
  fallingSilentAfter,
  modelUnknown,
  speaking,
  USAGE,
  WEATHER_CITIES,
  WEATHER_QUESTION,
  weatherModel,
  weatherModelAtOnce,
  weatherReport,
} from './scripted-model.ts';

const setup = createSetup();
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const KEY = 'sk-test-0123456789abcdef0123456789abcdef';

async function open(
  variable: string,
  script: Script,
  { model: id = 'm', apiKey = KEY } = {},
): Promise<{ backend: ScriptedBackend; model: LanguageModel }> {
  const backend = await setup.backend(script);
  const { url } = await setup.gateway({ env: { [variable]: backend.url, AUTH_KEY: KEY } });
  return { backend, model: modelOf(url, id, apiKey) };
}

function modelOf(url: string, id: string, apiKey: string): LanguageModel {
  const provider = createOpenAICompatible({
    name: 'gateway',
    baseURL: `${url}/v1`,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  return provider(id);
}

/** The tool, and the cities that it was asked about. */
function weatherTools() {
  const asked: string[] = [];
  const getWeather = tool({
    description: 'The weather now.',
    inputSchema: z.object({ city: z.string() }),
    execute({ city }) {
      asked.push(city);
      return `${city}: 21 °C`;
    },
  });
  return { asked, tools: { get_weather: getWeather } };
}

const WEATHER_ANSWER = weatherReport(...WEATHER_CITIES.map((city) => `${city}: 21 °C`));

describe.each(KINDS_OF_STREAM)('the AI SDK in front of %s', (_, variable) => {
  const usage = {
    inputTokens: USAGE.prompt_tokens,
    outputTokens: USAGE.completion_tokens,
    totalTokens: USAGE.total_tokens,
  };

  it('generates text with its usage', async () => {
    const { model } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const result = await generateText({ model, prompt: 'Hello', maxRetries: 0 });
    expect(result).toMatchObject({ text: 'Grüß dich', finishReason: 'stop', usage });
    expect(result.response.modelId).toBe('m');
  });

  it('streams text piece by piece with its usage', async () => {
    const { model } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const result = streamText({ model, prompt: 'Hello', maxRetries: 0 });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces).toEqual(['Grüß ', 'dich']);
    expect(await result.finishReason).toBe('stop');
    expect(await result.usage).toMatchObject(usage);
  });

  it('has reasoning apart from the text, streamed and not', async () => {
    const { model } = await open(
      variable,
      speaking(() => ({ thinking: ['Let me ', 'see.'], text: ['4', '2'] })),
    );
    const whole = await generateText({ model, prompt: 'Hello', maxRetries: 0 });
    expect(whole).toMatchObject({ reasoningText: 'Let me see.', text: '42' });
    const streamed = streamText({ model, prompt: 'Hello', maxRetries: 0 });
    const kinds: string[] = [];
    for await (const { type } of streamed.fullStream) {
      if (/^(reasoning|text)-/.test(type)) kinds.push(type);
    }
    expect(kinds).toEqual([
      ...['reasoning-start', 'reasoning-delta', 'reasoning-delta', 'reasoning-end'],
      ...['text-start', 'text-delta', 'text-delta', 'text-end'],
    ]);
    expect(await streamed.reasoningText).toBe('Let me see.');
    expect(await streamed.text).toBe('42');
  });

  it('holds the model to a zod schema and parses what it says', async () => {
    const { model, backend } = await open(
      variable,
      speaking(() => ({ text: ['{"city":"Pa', 'ris","celsius":', '21}'] })),
    );
    const { output } = await generateText({
      model,
      prompt: 'Hello',
      maxRetries: 0,
      output: Output.object({ schema: z.object({ city: z.string(), celsius: z.number() }) }),
    });
    expect(output).toEqual({ city: 'Paris', celsius: 21 });
    const schema = { type: 'object', required: ['city', 'celsius'] };
    expect(backend.calls[0]?.body).toMatchObject(
      variable === 'OLLAMA_BASE_URL' ? { format: schema } : { response_format: { json_schema: { schema } } },
    );
  });

  describe.each([
    ['one after the other', weatherModel],
    ['all at once', weatherModelAtOnce],
  ])('with tools that the model calls %s', (_order, script) => {
    it('runs them until the model has its answer', async () => {
      const { model, backend } = await open(variable, script);
      const { asked, tools } = weatherTools();
      const result = await generateText({
        model,
        tools,
        prompt: WEATHER_QUESTION,
        stopWhen: stepCountIs(3),
        maxRetries: 0,
      });
      expect(result.text).toBe(WEATHER_ANSWER);
      expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
      expect(asked).toEqual(WEATHER_CITIES);
      expect(backend.calls).toHaveLength(2);
    });

    it('runs them in streams until the model has its answer', async () => {
      const { model, backend } = await open(variable, script);
      const { asked, tools } = weatherTools();
      const result = streamText({
        model,
        tools,
        prompt: WEATHER_QUESTION,
        stopWhen: stepCountIs(3),
        maxRetries: 0,
      });
      let text = '';
      for await (const piece of result.textStream) text += piece;
      expect(text).toBe(WEATHER_ANSWER);
      expect((await result.steps).map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
      expect(asked).toEqual(WEATHER_CITIES);
      expect(backend.calls).toHaveLength(2);
    });
  });

  it('knows an unknown model by the status and the body', async () => {
    const { model } = await open(variable, modelUnknown, { model: 'nobody' });
    const error = await failureOf(generateText({ model, prompt: 'Hello', maxRetries: 0 }));
    expect(APICallError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({
      statusCode: 404,
      isRetryable: false,
      data: { error: { code: 'model_not_found', type: 'invalid_request_error' } },
    });
    expect(await partsOfFailed(model)).toMatchObject({
      text: '',
      errors: [{ statusCode: 404, data: { error: { code: 'model_not_found' } } }],
    });
  });

  it('in mid-stream has what was said, then an error and no good end', async () => {
    const { model } = await open(variable, breakingAfter('one ', 'two'));
    const { text, errors, finishReasons } = await partsOfFailed(model);
    expect(text).toBe('one two');
    expect(errors).toMatchObject([{ code: 'upstream_error', type: 'server_error' }]);
    expect(finishReasons).toEqual(['error']);
  });

  it('that leaves in the middle of a stream closes the backend’s connection', async () => {
    const { model, backend } = await open(variable, fallingSilentAfter('one'));
    const abort = new AbortController();
    const { textStream } = streamText({
      model,
      prompt: 'Hello',
      maxRetries: 0,
      abortSignal: abort.signal,
    });
    for await (const piece of textStream) if (piece === 'one') abort.abort();
    await backend.calls[0]?.closed;
    expect(backend.calls).toHaveLength(1);
  });
});

it('the AI SDK with a wrong key is told so', async () => {
  const { model, backend } = await open('OLLAMA_BASE_URL', weatherModel, { apiKey: 'sk-wrong' });
  expect(await failureOf(generateText({ model, prompt: 'Hello', maxRetries: 0 }))).toMatchObject({
    statusCode: 401,
    data: { error: { code: 'invalid_api_key' } },
  });
  expect(backend.calls).toHaveLength(0);
});

it('the AI SDK with a bad request is told the parameter', async () => {
  const { model, backend } = await open('OLLAMA_BASE_URL', weatherModel);
  const error = await failureOf(generateText({ model, prompt: 'Hello', maxRetries: 0, temperature: 2.5 }));
  expect(error).toMatchObject({ statusCode: 400, data: { error: { param: 'temperature' } } });
  expect(backend.calls).toHaveLength(0);
});

it('an agent of the AI SDK runs on the demo', async () => {
  const demo = await startDemoBackend({ tokenMs: 0 });
  closers.push(demo.close);
  const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: demo.url } });
  const { asked, tools } = weatherTools();
  const result = streamText({
    model: modelOf(url, 'demo', KEY),
    tools,
    prompt: 'What is the weather in Paris?',
    stopWhen: stepCountIs(3),
    maxRetries: 0,
  });
  expect(await result.text).toContain('Paris: 21 °C');
  expect(asked).toEqual(['Paris']);
});

/** Reads a stream that fails, to its end. */
async function partsOfFailed(
  model: LanguageModel,
): Promise<{ text: string; errors: unknown[]; finishReasons: string[] }> {
  const { fullStream } = streamText({
    model,
    prompt: 'Hello',
    maxRetries: 0,
    // In place of the package's own, which prints.
    onError: () => undefined,
  });
  let text = '';
  const errors: unknown[] = [];
  const finishReasons: string[] = [];
  for await (const part of fullStream) {
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'error') errors.push(part.error);
    if (part.type === 'finish') finishReasons.push(part.finishReason);
  }
  return { text, errors, finishReasons };
}
