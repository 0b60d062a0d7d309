/** The published `@llamaindex/openai` package against the gateway. */

import { describe, expect, it } from '@jest/globals';
import { OpenAI } from '@llamaindex/openai';
import type { BaseToolWithCall, ChatMessage, ChatResponseChunk, ToolCallLLMMessageOptions } from 'llamaindex';
import { type Script, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../../support/setup.ts';
import { failureOf } from './failure-of.ts';
import {
  breakingAfter,
  modelUnknown,
  speaking,
  USAGE,
  WEATHER_CITIES,
  WEATHER_PARAMETERS,
  WEATHER_QUESTION,
  weatherModel,
  weatherReport,
} from './scripted-model.ts';

const setup = createSetup();
const KEY = 'sk-test-0123456789abcdef0123456789abcdef';

type Message = ChatMessage<ToolCallLLMMessageOptions>;
const HELLO: Message[] = [{ role: 'user', content: 'Hello' }];

const getWeather: BaseToolWithCall = {
  metadata: { name: 'get_weather', description: 'The weather now.', parameters: WEATHER_PARAMETERS },
  call: ({ city }: { city: string }) => `${city}: 21 °C`,
};

async function open(
  variable: string,
  script: Script,
  init: ConstructorParameters<typeof OpenAI>[0] = {},
): Promise<{ backend: ScriptedBackend; llm: OpenAI }> {
  const backend = await setup.backend(script);
  const { url } = await setup.gateway({ env: { [variable]: backend.url, AUTH_KEY: KEY } });
  const llm = new OpenAI({ model: 'm', apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0, ...init });
  return { backend, llm };
}

type Stream = AsyncIterable<ChatResponseChunk<ToolCallLLMMessageOptions>>;

async function textOf(stream: Stream): Promise<string> {
  let text = '';
  for await (const { delta } of stream) text += delta;
  return text;
}

describe.each(KINDS_OF_STREAM)('llamaindex in front of %s', (_, variable) => {
  it('gets a whole answer with its usage', async () => {
    const { llm } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const { message, raw } = await llm.chat({ messages: HELLO });
    expect(message).toMatchObject({ role: 'assistant', content: 'Grüß dich' });
    expect(raw).toMatchObject({ model: 'm', usage: USAGE });
  });

  it('gets a stream piece by piece', async () => {
    const { llm } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const deltas: string[] = [];
    for await (const { delta } of await llm.chat({ messages: HELLO, stream: true })) deltas.push(delta);
    expect(deltas.filter((delta) => delta !== '')).toEqual(['Grüß ', 'dich']);
  });

  it('calls tools until the model has its answer', async () => {
    const { llm, backend } = await open(variable, weatherModel);
    const messages: Message[] = [{ role: 'user', content: WEATHER_QUESTION }];
    const asking = await llm.exec({ messages, tools: [getWeather] });
    expect(asking.toolCalls).toMatchObject(
      WEATHER_CITIES.map((city) => ({ name: 'get_weather', input: { city } })),
    );
    const answer = await llm.exec({ messages: [...messages, ...asking.newMessages], tools: [getWeather] });
    expect(answer.toolCalls).toEqual([]);
    expect(answer.newMessages).toMatchObject([
      {
        role: 'assistant',
        content: weatherReport(...WEATHER_CITIES.map((city) => `${city}: 21 °C`)),
      },
    ]);
    expect(backend.calls).toHaveLength(2);
  });

  // One after the other: of several calls in one chunk this client reads the first only.
  it('calls tools in streams until the model has its answer', async () => {
    const { llm, backend } = await open(variable, weatherModel);
    const messages: Message[] = [{ role: 'user', content: WEATHER_QUESTION }];
    const asking = await llm.exec({ messages, tools: [getWeather], stream: true });
    await textOf(asking.stream);
    expect(asking.toolCalls).toMatchObject(
      WEATHER_CITIES.map((city) => ({ name: 'get_weather', input: { city } })),
    );
    const answer = await llm.exec({
      messages: [...messages, ...asking.newMessages()],
      tools: [getWeather],
      stream: true,
    });
    expect(await textOf(answer.stream)).toBe(
      weatherReport(...WEATHER_CITIES.map((city) => `${city}: 21 °C`)),
    );
    expect(backend.calls).toHaveLength(2);
  });

  it('knows an unknown model by status and code, streamed and not', async () => {
    const { llm } = await open(variable, modelUnknown, { model: 'nobody' });
    for (const call of [
      () => llm.chat({ messages: HELLO }),
      async () => textOf(await llm.chat({ messages: HELLO, stream: true })),
    ]) {
      expect(await failureOf(call())).toMatchObject({ status: 404, code: 'model_not_found' });
    }
  });

  it('in mid-stream gets what was said and then an error with the code', async () => {
    const { llm } = await open(variable, breakingAfter('one ', 'two'));
    let text = '';
    const error = await failureOf(
      (async () => {
        for await (const { delta } of await llm.chat({ messages: HELLO, stream: true })) text += delta;
      })(),
    );
    expect(text).toBe('one two');
    expect(error).toMatchObject({ code: 'upstream_error' });
  });
});

it('llamaindex with a wrong key is told so', async () => {
  const { llm, backend } = await open('OLLAMA_BASE_URL', weatherModel, { apiKey: 'sk-wrong' });
  expect(await failureOf(llm.chat({ messages: HELLO }))).toMatchObject({
    status: 401,
    code: 'invalid_api_key',
  });
  expect(backend.calls).toHaveLength(0);
});

it('llamaindex with a bad request is told the parameter', async () => {
  const { llm, backend } = await open('OLLAMA_BASE_URL', weatherModel, { temperature: 2.5 });
  expect(await failureOf(llm.chat({ messages: HELLO }))).toMatchObject({ status: 400, param: 'temperature' });
  expect(backend.calls).toHaveLength(0);
});
