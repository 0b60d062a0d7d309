/** The published `@langchain/openai` package against the gateway. */

import { describe, expect, it } from '@jest/globals';
import { HumanMessage, ToolMessage, type AIMessageChunk } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import * as z from 'zod';
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
  weatherReport,
} from './scripted-model.ts';

const setup = createSetup();
const KEY = 'sk-test-0123456789abcdef0123456789abcdef';

const getWeather = tool(({ city }) => `${city}: 21 °C`, {
  name: 'get_weather',
  description: 'The weather now.',
  schema: z.object({ city: z.string() }),
});

async function open(
  variable: string,
  script: Script,
  fields: ConstructorParameters<typeof ChatOpenAI>[0] = {},
): Promise<{ backend: ScriptedBackend; model: ChatOpenAI }> {
  const backend = await setup.backend(script);
  const { url } = await setup.gateway({ env: { [variable]: backend.url, AUTH_KEY: KEY } });
  const model = new ChatOpenAI({
    model: 'm',
    apiKey: KEY,
    maxRetries: 0,
    configuration: { baseURL: `${url}/v1` },
    ...fields,
  });
  return { backend, model };
}

/** Reads to the end and gives what LangChain makes of all pieces together. */
async function gather(stream: AsyncIterable<AIMessageChunk>): Promise<AIMessageChunk> {
  let whole: AIMessageChunk | undefined;
  for await (const chunk of stream) whole = whole?.concat(chunk) ?? chunk;
  if (!whole) throw new Error('the stream was empty');
  return whole;
}

describe.each(KINDS_OF_STREAM)('langchain in front of %s', (_, variable) => {
  const usage = {
    input_tokens: USAGE.prompt_tokens,
    output_tokens: USAGE.completion_tokens,
    total_tokens: USAGE.total_tokens,
  };

  it('gets a whole answer with its usage', async () => {
    const { model } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const message = await model.invoke('Hello');
    expect(message.content).toBe('Grüß dich');
    expect(message.usage_metadata).toMatchObject(usage);
    expect(message.response_metadata).toMatchObject({ finish_reason: 'stop' });
  });

  it('gets a stream piece by piece with its usage', async () => {
    const { model } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const pieces: unknown[] = [];
    const whole = await gather(
      (async function* () {
        for await (const chunk of await model.stream('Hello')) {
          if (chunk.content !== '') pieces.push(chunk.content);
          yield chunk;
        }
      })(),
    );
    expect(pieces).toEqual(['Grüß ', 'dich']);
    expect(whole.content).toBe('Grüß dich');
    expect(whole.usage_metadata).toMatchObject(usage);
    expect(whole.response_metadata).toMatchObject({ finish_reason: 'stop' });
  });

  it.each([true, false])('calls tools until the model has its answer (stream: %s)', async (isStream) => {
    const { model, backend } = await open(variable, weatherModel);
    const agent = model.bindTools([getWeather]);
    const question = new HumanMessage(WEATHER_QUESTION);
    const asking = isStream ? await gather(await agent.stream([question])) : await agent.invoke([question]);
    expect(asking.tool_calls).toMatchObject(
      WEATHER_CITIES.map((city) => ({ name: 'get_weather', args: { city }, id: expect.any(String) })),
    );
    expect(asking.response_metadata).toMatchObject({ finish_reason: 'tool_calls' });

    const results: ToolMessage[] = [];
    for (const call of asking.tool_calls ?? []) {
      const content = await getWeather.invoke({ city: String(call.args.city) });
      results.push(new ToolMessage({ content, tool_call_id: String(call.id) }));
    }
    const conversation = [question, asking, ...results];
    const answer = isStream
      ? await gather(await agent.stream(conversation))
      : await agent.invoke(conversation);
    expect(answer.content).toBe(weatherReport(...WEATHER_CITIES.map((city) => `${city}: 21 °C`)));
    expect(answer.tool_calls).toEqual([]);
    expect(backend.calls).toHaveLength(2);
  });

  it('holds the model to a zod schema and parses what it says, streamed and not', async () => {
    const { model, backend } = await open(
      variable,
      speaking(() => ({ text: ['{"city":"Pa', 'ris","celsius":', '21}'] })),
    );
    const structured = model.withStructuredOutput(z.object({ city: z.string(), celsius: z.number() }), {
      method: 'jsonSchema',
      name: 'weather',
    });
    const expected = { city: 'Paris', celsius: 21 };
    expect(await structured.invoke('Hello')).toEqual(expected);
    let last: unknown;
    for await (const value of await structured.stream('Hello')) last = value;
    expect(last).toEqual(expected);
    expect(backend.calls).toHaveLength(2);
    for (const { body } of backend.calls) {
      const schema = { type: 'object', required: ['city', 'celsius'] };
      expect(body).toMatchObject(
        variable === 'OLLAMA_BASE_URL'
          ? { format: schema }
          : { response_format: { json_schema: { schema } } },
      );
    }
  });

  it('knows an unknown model by status and code, streamed and not', async () => {
    const { model } = await open(variable, modelUnknown, { model: 'nobody' });
    for (const call of [() => model.invoke('Hello'), () => model.stream('Hello')]) {
      expect(await failureOf(call())).toMatchObject({ status: 404, code: 'model_not_found' });
    }
  });

  it('in mid-stream gets what was said and then an error with the code', async () => {
    const { model } = await open(variable, breakingAfter('one ', 'two'));
    let text = '';
    const error = await failureOf(
      (async () => {
        for await (const chunk of await model.stream('Hello')) text += chunk.text;
      })(),
    );
    expect(text).toBe('one two');
    expect(error).toMatchObject({ code: 'upstream_error' });
  });

  it('that leaves in the middle of a stream closes the backend’s connection', async () => {
    const { model, backend } = await open(variable, fallingSilentAfter('one'));
    const abort = new AbortController();
    const reading = (async () => {
      for await (const chunk of await model.stream('Hello', { signal: abort.signal })) {
        if (chunk.content === 'one') abort.abort();
      }
    })();
    await failureOf(reading);
    await backend.calls[0]?.closed;
    expect(backend.calls).toHaveLength(1);
  });
});

it('langchain with a wrong key is told so', async () => {
  const { model, backend } = await open('OLLAMA_BASE_URL', weatherModel, { apiKey: 'sk-wrong' });
  expect(await failureOf(model.invoke('Hello'))).toMatchObject({ status: 401, code: 'invalid_api_key' });
  expect(backend.calls).toHaveLength(0);
});

it('langchain with a bad request is told the parameter', async () => {
  const { model, backend } = await open('OLLAMA_BASE_URL', weatherModel, { temperature: 2.5 });
  expect(await failureOf(model.invoke('Hello'))).toMatchObject({ status: 400, param: 'temperature' });
  expect(backend.calls).toHaveLength(0);
});
