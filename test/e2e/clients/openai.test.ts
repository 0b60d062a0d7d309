/** The published `openai` package against the gateway: what its users call, they get. */

import { afterEach, describe, expect, it } from '@jest/globals';
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
} from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import type { RunnableToolFunctionWithParse } from 'openai/lib/RunnableFunction';
import type { ChatCompletionChunk, ChatCompletionFunctionTool } from 'openai/resources';
import * as z from 'zod';
import { startDemoBackend } from '../../../src/node/demo/server.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { failing, saying, type Script, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../../support/setup.ts';
import { failureOf } from './failure-of.ts';
import {
  breakingAfter,
  fallingSilentAfter,
  modelUnknown,
  speaking,
  USAGE,
  WEATHER_CITIES,
  WEATHER_PARAMETERS,
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
const HELLO = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello' }] };
const WEATHER = { model: 'm', messages: [{ role: 'user' as const, content: WEATHER_QUESTION }] };
const WEATHER_TOOL: ChatCompletionFunctionTool = {
  type: 'function',
  function: { name: 'get_weather', description: 'The weather now.', parameters: WEATHER_PARAMETERS },
};

interface Opened {
  readonly backend: ScriptedBackend;
  readonly gateway: TestGateway;
  readonly client: OpenAI;
}

async function open(
  variable: string,
  script: Script,
  env: Readonly<Record<string, string>> = {},
): Promise<Opened> {
  const backend = await setup.backend(script);
  const gateway = await setup.gateway({ env: { [variable]: backend.url, ...env } });
  return { backend, gateway, client: clientOf(gateway) };
}

function clientOf({ url }: TestGateway, apiKey = KEY, maxRetries = 0): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries });
}

async function textOf(stream: AsyncIterable<ChatCompletionChunk>): Promise<string> {
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  return text;
}

describe.each(KINDS_OF_STREAM)('the openai package in front of %s', (_, variable) => {
  const isOllama = variable === 'OLLAMA_BASE_URL';

  describe('with text', () => {
    it('gets a whole answer with its usage and the id of the request', async () => {
      const { client, gateway } = await open(
        variable,
        speaking(() => ({ text: ['Grüß ', 'dich ', '👋'] })),
      );
      const completion = await client.chat.completions.create(HELLO);
      expect(completion).toMatchObject({ object: 'chat.completion', model: 'm', usage: USAGE });
      expect(completion.choices).toMatchObject([
        {
          index: 0,
          finish_reason: 'stop',
          logprobs: null,
          message: { role: 'assistant', content: 'Grüß dich 👋', refusal: null },
        },
      ]);
      expect(completion.choices[0]?.message.tool_calls).toBeUndefined();
      expect(completion._request_id).toMatch(/^req_/);
      expect(gateway.logs.map(({ fields }) => fields.requestId)).toContain(completion._request_id);
    });

    it('iterates over a stream that ends with usage when it was asked for', async () => {
      const { client } = await open(
        variable,
        speaking(() => ({ text: ['Grüß ', 'dich ', '👋'] })),
      );
      const { data: stream, request_id: id } = await client.chat.completions
        .create({ ...HELLO, stream: true, stream_options: { include_usage: true } })
        .withResponse();
      const chunks: ChatCompletionChunk[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '')).toEqual(
        expect.arrayContaining(['Grüß ', 'dich ', '👋']),
      );
      expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['stop']);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: USAGE });
      expect(id).toMatch(/^req_/);
    });

    it('has the stream helper tell of every piece and put the answer together', async () => {
      const { client } = await open(
        variable,
        speaking(() => ({ text: ['one ', 'two'] })),
      );
      const stream = client.chat.completions.stream({ ...HELLO, stream_options: { include_usage: true } });
      const deltas: string[] = [];
      const told: string[] = [];
      stream.on('content.delta', ({ delta }) => deltas.push(delta));
      stream.on('content.done', ({ content }) => told.push(content));
      stream.on('finalContent', (content) => told.push(content));
      const completion = await stream.finalChatCompletion();
      expect(deltas.filter((delta) => delta !== '')).toEqual(['one ', 'two']);
      expect(told).toEqual(['one two', 'one two']);
      expect(completion).toMatchObject({
        object: 'chat.completion',
        model: 'm',
        choices: [{ finish_reason: 'stop', message: { role: 'assistant', content: 'one two' } }],
        usage: USAGE,
      });
    });

    it('holds the model to a zod schema and parses what it says, streamed and not', async () => {
      const { client, backend } = await open(
        variable,
        speaking(() => ({ text: ['{"city":"Pa', 'ris","celsius":', '21}'] })),
      );
      const format = zodResponseFormat(z.object({ city: z.string(), celsius: z.number() }), 'weather');
      const whole = await client.chat.completions.parse({ ...HELLO, response_format: format });
      const streamed = await client.chat.completions
        .stream({ ...HELLO, response_format: format })
        .finalChatCompletion();
      for (const { choices } of [whole, streamed]) {
        expect(choices[0]?.message.parsed).toEqual({ city: 'Paris', celsius: 21 });
      }
      expect(backend.calls).toHaveLength(2);
      for (const { body } of backend.calls) {
        const schema = { type: 'object', required: ['city', 'celsius'] };
        expect(body).toMatchObject(
          isOllama ? { format: schema } : { response_format: { json_schema: { name: 'weather', schema } } },
        );
      }
    });
  });

  describe('with tools', () => {
    const EXPECTED_CALLS = WEATHER_CITIES.map((city) => ({ name: 'get_weather', arguments: { city } }));

    it('gets whole calls with ids of their own and no text', async () => {
      const { client } = await open(variable, weatherModel);
      const { choices } = await client.chat.completions.create({ ...WEATHER, tools: [WEATHER_TOOL] });
      expect(choices).toMatchObject([{ finish_reason: 'tool_calls', message: { content: null } }]);
      const calls = functionCalls(choices[0]?.message.tool_calls);
      expect(calls.map(({ called }) => called)).toEqual(EXPECTED_CALLS);
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    });

    it.each([
      ['one after the other', weatherModel],
      ['all at once', weatherModelAtOnce],
    ])('has the stream helper put together calls that come %s', async (_order, script) => {
      const { client } = await open(variable, script);
      const stream = client.chat.completions.stream({ ...WEATHER, tools: [WEATHER_TOOL] });
      const told: object[] = [];
      stream.on('tool_calls.function.arguments.done', ({ index, name, arguments: args }) => {
        told.push({ index, called: { name, arguments: JSON.parse(args) as unknown } });
      });
      const { choices } = await stream.finalChatCompletion();
      expect(choices).toMatchObject([{ finish_reason: 'tool_calls' }]);
      const calls = functionCalls(choices[0]?.message.tool_calls);
      expect(calls.map(({ called }) => called)).toEqual(EXPECTED_CALLS);
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
      expect(told).toEqual(EXPECTED_CALLS.map((called, index) => ({ index, called })));
    });

    it.each([true, false])('runs them until the model has its answer (stream: %s)', async (isStream) => {
      const { client, backend } = await open(variable, weatherModel);
      const asked: string[] = [];
      expect(await runWeatherTools(client, 'm', isStream, asked)).toBe(weatherReport('21 °C', '22 °C'));
      expect(asked).toEqual(WEATHER_CITIES);
      expect(backend.calls).toHaveLength(2);
      expect(backend.calls[1]?.body.messages).toMatchObject([
        { role: 'user' },
        {
          role: 'assistant',
          tool_calls: WEATHER_CITIES.map((city) => ({
            function: { name: 'get_weather', arguments: isOllama ? { city } : JSON.stringify({ city }) },
          })),
        },
        { role: 'tool', content: '21 °C', ...(isOllama && { tool_name: 'get_weather' }) },
        { role: 'tool', content: '22 °C', ...(isOllama && { tool_name: 'get_weather' }) },
      ]);
      expect(idsOfCalls(backend)).toEqual(idsOfResults(backend));
    });
  });

  describe('when it leaves', () => {
    it('in the middle of a stream by its controller closes the backend’s connection', async () => {
      const { client, backend } = await open(variable, fallingSilentAfter('one'));
      const stream = await client.chat.completions.create({ ...HELLO, stream: true });
      for await (const { choices } of stream)
        if (choices[0]?.delta.content === 'one') stream.controller.abort();
      await backend.calls[0]?.closed;
      expect(backend.calls).toHaveLength(1);
    });

    it('by a break out of the loop closes the backend’s connection', async () => {
      const { client, backend } = await open(variable, fallingSilentAfter('one'));
      for await (const { choices } of await client.chat.completions.create({ ...HELLO, stream: true })) {
        if (choices[0]?.delta.content === 'one') break;
      }
      await backend.calls[0]?.closed;
      expect(backend.calls).toHaveLength(1);
    });

    it('through the stream helper closes the backend’s connection and has no completion', async () => {
      const { client, backend } = await open(variable, fallingSilentAfter('one'));
      const stream = client.chat.completions.stream(HELLO);
      stream.on('content', () => {
        stream.abort();
      });
      expect(await failureOf(stream.finalChatCompletion())).toBeInstanceOf(APIUserAbortError);
      await backend.calls[0]?.closed;
    });

    it('while it waits for a whole answer closes the backend’s connection', async () => {
      const abort = new AbortController();
      const { client, backend } = await open(variable, async (call) => {
        await fallingSilentAfter('one')(call);
        abort.abort();
      });
      const completion = client.chat.completions.create(HELLO, { signal: abort.signal });
      expect(await failureOf(completion)).toBeInstanceOf(APIUserAbortError);
      await backend.calls[0]?.closed;
    });
  });

  describe('with errors', () => {
    it.each([true, false])('knows an unknown model by its class and code (stream: %s)', async (stream) => {
      const { client } = await open(variable, modelUnknown);
      const error = await failureOf(client.chat.completions.create({ ...HELLO, model: 'nobody', stream }));
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error).toMatchObject({ status: 404, code: 'model_not_found', type: 'invalid_request_error' });
      expect(error).toHaveProperty('requestID', expect.stringMatching(/^req_/));
    });

    it('knows a bad request by its class and the parameter, before any backend does', async () => {
      const { client, backend, gateway } = await open(variable, saying('never'));
      const error = await failureOf(client.chat.completions.create({ ...HELLO, temperature: 2.5 }));
      expect(error).toBeInstanceOf(BadRequestError);
      expect(error).toMatchObject({
        status: 400,
        param: 'temperature',
        code: 'decimal_above_max_value',
        type: 'invalid_request_error',
        requestID: expect.stringMatching(/^req_/),
      });
      expect(gateway.logs.map(({ fields }) => fields.requestId)).toContain((error as APIError).requestID);
      expect(backend.calls).toHaveLength(0);
    });

    it('in mid-stream gets what was said and then an APIError with the code', async () => {
      const { client } = await open(variable, breakingAfter('one ', 'two'));
      const stream = await client.chat.completions.create({ ...HELLO, stream: true });
      let text = '';
      const finishes: string[] = [];
      const error = await failureOf(
        (async () => {
          for await (const { choices } of stream) {
            text += choices[0]?.delta.content ?? '';
            if (choices[0]?.finish_reason) finishes.push(choices[0].finish_reason);
          }
        })(),
      );
      expect(text).toBe('one two');
      expect(finishes).toEqual([]);
      expect(error).toBeInstanceOf(APIError);
      expect(error).toMatchObject({ code: 'upstream_error', type: 'server_error', param: null });
      expect((error as APIError).requestID).toMatch(/^req_/);
    });

    it('in mid-stream leaves the stream helper with an error and no completion', async () => {
      const { client } = await open(variable, breakingAfter('one ', 'two'));
      const stream = client.chat.completions.stream(HELLO);
      const finals: unknown[] = [];
      stream.on('finalChatCompletion', (completion) => finals.push(completion));
      const error = await failureOf(stream.finalChatCompletion());
      expect(error).toBeInstanceOf(APIError);
      expect(error).toMatchObject({ code: 'upstream_error' });
      expect(finals).toEqual([]);
    });

    it('tries as often as maxRetries says and then knows the server’s fault', async () => {
      const { client, gateway, backend } = await open(variable, BUSY);
      const failure = await failureOf(clientOf(gateway, KEY, 2).chat.completions.create(HELLO));
      expect(failure).toBeInstanceOf(InternalServerError);
      expect(failure).toMatchObject({ status: 503, requestID: expect.stringMatching(/^req_/) });
      expect(backend.calls).toHaveLength(3);
      await failureOf(client.chat.completions.create(HELLO));
      expect(backend.calls).toHaveLength(4);
    });

    it('has its answer when the backend is well again at the second try', async () => {
      const { gateway, backend } = await open(variable, async (call) => {
        await BUSY(call);
        backend.script(saying('well'));
      });
      const stream = await clientOf(gateway, KEY, 1).chat.completions.create({ ...HELLO, stream: true });
      expect(await textOf(stream)).toBe('well');
      expect(backend.calls).toHaveLength(2);
    });
  });
});

it('the openai package does not retry what the gateway calls futile', async () => {
  const noMemory = { error: 'model requires more system memory (20 GiB) than is available (8 GiB)' };
  const { gateway, backend } = await open('OLLAMA_BASE_URL', failing(500, noMemory));
  const failure = await failureOf(clientOf(gateway, KEY, 2).chat.completions.create(HELLO));
  expect(failure).toMatchObject({ status: 502, code: 'upstream_error' });
  expect(backend.calls).toHaveLength(1);
});

describe('the key of the openai package', () => {
  it('opens the gateway when it is right', async () => {
    const { client } = await open('OLLAMA_BASE_URL', saying('come in'), { AUTH_KEY: KEY });
    expect((await client.chat.completions.create(HELLO)).choices[0]?.message.content).toBe('come in');
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['m']);
  });

  it('is an AuthenticationError with a code and an id when it is wrong', async () => {
    const { gateway, backend } = await open('OLLAMA_BASE_URL', saying('never'), { AUTH_KEY: KEY });
    const client = clientOf(gateway, `${KEY.slice(0, -1)}0`);
    for (const call of [
      () => client.chat.completions.create(HELLO),
      () => client.chat.completions.create({ ...HELLO, stream: true }),
      () => client.models.list(),
      () => client.models.retrieve('m'),
    ]) {
      const error = await failureOf(call());
      expect(error).toBeInstanceOf(AuthenticationError);
      expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error' });
      expect((error as APIError).requestID).toMatch(/^req_/);
    }
    expect(backend.calls).toHaveLength(0);
  });
});

describe.each(KINDS_OF_STREAM)('the models of %s', (_, variable) => {
  const MODELS = ['qwen3:8b', 'meta-llama/Llama-3.1-8B', 'hf.co/bartowski/Qwen2.5-GGUF:Q4_K_M'];

  async function openModels(): Promise<OpenAI> {
    const backend = await setup.backend(saying('x'), { models: MODELS });
    return clientOf(await setup.gateway({ env: { [variable]: backend.url } }));
  }

  it('are listed by the openai package', async () => {
    const client = await openModels();
    const listed: unknown[] = [];
    for await (const model of client.models.list()) listed.push(model);
    expect(listed).toEqual(
      MODELS.map((id) => ({
        id,
        object: 'model',
        created: expect.any(Number),
        owned_by: expect.any(String),
      })),
    );
  });

  it.each(MODELS)('are found by the openai package under %s', async (id) => {
    const client = await openModels();
    expect(await client.models.retrieve(id)).toMatchObject({ id, object: 'model' });
  });

  it('are a NotFoundError of the openai package when they do not exist', async () => {
    const client = await openModels();
    const error = await failureOf(client.models.retrieve('hf.co/nobody/nothing:latest'));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
  });
});

it.each([true, false])('an agent of the openai package runs on the demo (stream: %s)', async (isStream) => {
  const demo = await startDemoBackend({ tokenMs: 0 });
  closers.push(demo.close);
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: demo.url } });
  const asked: string[] = [];
  const answer = await runWeatherTools(clientOf(gateway), 'demo', isStream, asked);
  expect(asked).toHaveLength(1);
  expect(answer).toContain('21 °C');
});

/** Refuses for now, and says that no waiting is needed. */
const BUSY = failing(503, { error: 'server busy, please try again' }, { 'retry-after': '0' });

/** Lets the package run the tool; gives the last words of the model. */
async function runWeatherTools(
  client: OpenAI,
  model: string,
  isStream: boolean,
  asked: string[],
): Promise<string | null> {
  const tool: RunnableToolFunctionWithParse<{ city: string }> = {
    type: 'function',
    function: {
      name: 'get_weather',
      description: 'The weather now.',
      parameters: WEATHER_PARAMETERS,
      parse: (text) => z.object({ city: z.string() }).parse(JSON.parse(text)),
      function({ city }) {
        asked.push(city);
        return `${String(20 + asked.length)} °C`;
      },
    },
  };
  const { completions } = client.chat;
  const body = { ...WEATHER, model, tools: [tool] };
  const runner = isStream ? completions.runTools({ ...body, stream: true }) : completions.runTools(body);
  return runner.finalContent();
}

function functionCalls(
  calls: readonly { readonly id: string; readonly type: string; readonly function?: unknown }[] = [],
): { id: string; called: { name: string; arguments: unknown } }[] {
  return calls.map((call) => {
    const called = call.function as { name: string; arguments: string };
    return { id: call.id, called: { name: called.name, arguments: JSON.parse(called.arguments) as unknown } };
  });
}

interface Said {
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string }[];
}

function idsOfCalls({ calls }: ScriptedBackend): (string | undefined)[] {
  return (calls[1]?.body.messages as Said[]).flatMap((said) => said.tool_calls?.map(({ id }) => id) ?? []);
}

function idsOfResults({ calls }: ScriptedBackend): (string | undefined)[] {
  return (calls[1]?.body.messages as Said[]).flatMap((said) => said.tool_call_id ?? []);
}
