/**
 * The whole program in front of real backends: those of the environment, .env or gateway.yaml, else what
 * answers on the usual ports of this machine. Says which it asks, and skips when there is none.
 */

import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import { buildProgram, runProgram } from '../support/program.ts';
import { parseStream } from '../support/sse.ts';

// A cold model may have to be loaded first.
jest.setTimeout(600_000);

const KEY = 'live-tests-use-a-key-of-their-own-0123456789';
const QUESTION: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Say hello in one word.' }];
const GET_WEATHER: OpenAI.ChatCompletionFunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

const hasCurl = spawnSync('curl', ['--version']).status === 0;
const { models, client, baseURL, stop } = await startGateway();
afterAll(stop);

// Jest wants some test in a file, and a row in each table.
const describeEach = models.length > 0 ? describe.each(models) : describe.skip.each(['no backend answers']);

describeEach('%s', (model) => {
  it('answers the openai package', async () => {
    const { choices, usage } = await client.chat.completions.create({ model, messages: QUESTION });
    expect(choices).toMatchObject([
      { finish_reason: 'stop', message: { content: expect.stringMatching(/\S/) } },
    ]);
    expect(usage?.completion_tokens).toBeGreaterThan(0);
  });

  it('streams to the openai package, with its usage', async () => {
    const { choices, usage } = await client.chat.completions
      .stream({ model, messages: QUESTION, stream_options: { include_usage: true } })
      .finalChatCompletion();
    expect(choices).toMatchObject([
      { finish_reason: 'stop', message: { content: expect.stringMatching(/\S/) } },
    ]);
    expect(usage?.completion_tokens).toBeGreaterThan(0);
  });

  it('streams the call of a tool, or says that it has none', async () => {
    const outcome: unknown = await client.chat.completions
      .stream({
        model,
        messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
        tools: [GET_WEATHER],
        tool_choice: { type: 'function', function: { name: 'get_weather' } },
      })
      .finalChatCompletion()
      .catch((error: unknown) => error);
    if (outcome instanceof BadRequestError) {
      say(`${model} has no tools: ${outcome.message}`);
      expect(outcome.message).toMatch(/tool/i);
      return;
    }
    expect(outcome).toMatchObject({ choices: [{ message: { tool_calls: [expect.anything()] } }] });
    const [call] = (outcome as OpenAI.ChatCompletion).choices[0]?.message.tool_calls ?? [];
    expect(call).toMatchObject({ id: expect.any(String), function: { name: 'get_weather' } });
    const { arguments: json } = (call as OpenAI.ChatCompletionMessageFunctionToolCall).function;
    expect(JSON.parse(json)).toMatchObject({ city: expect.any(String) });
  });

  (hasCurl ? it : it.skip)('streams to curl, to the end', async () => {
    const { stdout } = await promisify(execFile)(
      'curl',
      [
        ...['-q', '-sSN', `${baseURL}/chat/completions`, '--noproxy', '*'],
        ...['-H', `Authorization: Bearer ${KEY}`, '-H', 'Content-Type: application/json'],
        ...['-d', JSON.stringify({ model, messages: QUESTION, stream: true })],
      ],
      { maxBuffer: Infinity },
    );
    expect(parseStream(stdout)).toMatchObject({
      text: expect.stringMatching(/\S/),
      isDone: true,
      error: undefined,
    });
  });
});

interface Gateway {
  readonly baseURL: string;
  readonly client: OpenAI;
  /** One for each backend that is up, addressed as `backend/model`. Without any the program has ended. */
  readonly models: readonly string[];
  stop(): Promise<void>;
}

async function startGateway(): Promise<Gateway> {
  buildProgram();
  const program = runProgram(
    {
      ...(process.env as Record<string, string>),
      // No demo takes the place of a model server that is not there.
      NODE_ENV: 'production',
      ...{ HOST: '127.0.0.1', PORT: '0', AUTH_KEY: KEY, LOG_FORMAT: 'pretty' },
    },
    process.cwd(),
  );
  async function stop(): Promise<void> {
    program.process.kill('SIGTERM');
    await program.ended;
  }
  let models: readonly string[] = [];
  try {
    const screen = await program.until('Try it:').catch((error: unknown) => String(error));
    const isNobodyThere = screen.includes('none answers on this machine');
    const baseURL = /http:\/\/localhost:\d+\/v1/.exec(screen)?.[0];
    if (baseURL === undefined && !isNobodyThere) throw new Error(screen);
    const client = new OpenAI({ baseURL: baseURL ?? '', apiKey: KEY, maxRetries: 0 });
    const backends = [...screen.matchAll(/^ +(?:Backends +)?((\S+) \(\w+\) at \S+: (.+))$/gm)];
    for (const [, line = ''] of backends) say(line);
    const up = backends.flatMap(([, , name = '', state = '']) => (state.startsWith('DOWN') ? [] : name));
    if (up.length === 0)
      say('skipped: no backend is configured or found on this machine, or none of them answers.');
    else models = await findModels(client, up);
    return { baseURL: baseURL ?? '', client, models, stop };
  } finally {
    // Jest runs no hooks when it has no test to run.
    if (models.length === 0) await stop();
  }
}

async function findModels(client: OpenAI, backends: readonly string[]): Promise<string[]> {
  const { data } = await client.models.list();
  const found: string[] = [];
  for (const backend of backends) {
    const model = await findModel(
      client,
      data.map(({ id }) => `${backend}/${id}`),
    );
    say(model === undefined ? `${backend} has no model that chats` : `asks ${model}`);
    if (model !== undefined) found.push(model);
  }
  if (found.length === 0 && data.length > 0) throw new Error('models are listed, and none of them chats');
  return found;
}

/** The first that the backend has and that chats; other failures are for the tests to report. */
async function findModel(client: OpenAI, models: readonly string[]): Promise<string | undefined> {
  for (const model of models) {
    const failure: unknown = await client.chat.completions.create({ model, messages: QUESTION }).then(
      () => undefined,
      (error: unknown) => error,
    );
    const isForVectors = failure instanceof BadRequestError && /chat/i.test(failure.message);
    if (!(failure instanceof NotFoundError || isForVectors)) return model;
  }
  return undefined;
}

function say(line: string): void {
  process.stderr.write(`test:live: ${line}\n`);
}
