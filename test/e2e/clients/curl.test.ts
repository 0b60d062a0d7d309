/** The curl program against the gateway, with the commands that people paste into a terminal. */

import { spawn, spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import {
  failing,
  ollamaDone,
  ollamaToken,
  openaiChunk,
  saying,
  sse,
  type Script,
  type ScriptedBackend,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually, KINDS_OF_STREAM } from '../../support/setup.ts';
import { parseStream } from '../../support/sse.ts';
import {
  breakingAfter,
  fallingSilentAfter,
  speaking,
  USAGE,
  WEATHER_CITIES,
  WEATHER_PARAMETERS,
  WEATHER_QUESTION,
  weatherModel,
} from './scripted-model.ts';

const setup = createSetup();
const KEY = 'sk-test-0123456789abcdef0123456789abcdef';
const WITH_KEY = ['-H', `Authorization: Bearer ${KEY}`];
const HELLO = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };

const hasCurl = spawnSync('curl', ['--version']).status === 0;
const describeWithCurl = hasCurl ? describe : describe.skip;
const CURL = hasCurl ? 'curl' : 'curl, which this machine does not have,';

interface Curl {
  /** Resolves when the output so far holds this text. */
  until(text: string): Promise<void>;
  /** Ends the program as Ctrl-C does. */
  interrupt(): void;
  /** Resolves with the exit code of the program, the status of HTTP and the body. */
  readonly result: Promise<{ code: number | null; status: number; body: string }>;
}

/** Without the user's configuration and proxies. */
function curl(...args: readonly string[]): Curl {
  const child = spawn('curl', ['-q', '-sS', '-w', '\n%{stderr}%{http_code}', ...args], {
    env: { PATH: process.env.PATH, NO_PROXY: '*' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let body = '';
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  return {
    until: (text) => eventually(() => body.includes(text)),
    interrupt: () => child.kill('SIGINT'),
    result: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        resolve({ code, status: Number(/\d{3}$/.exec(told)?.[0]), body });
      });
    }),
  };
}

function post(url: string, body: object, ...args: readonly string[]): Curl {
  const json = ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)];
  return curl(`${url}/v1/chat/completions`, ...json, ...args);
}

async function open(variable: string, script: Script): Promise<{ backend: ScriptedBackend; url: string }> {
  const backend = await setup.backend(script);
  const { url } = await setup.gateway({ env: { [variable]: backend.url, AUTH_KEY: KEY } });
  return { backend, url };
}

describeWithCurl.each(KINDS_OF_STREAM)(`${CURL} in front of %s`, (_, variable) => {
  const isOllama = variable === 'OLLAMA_BASE_URL';

  it('gets a whole answer', async () => {
    const { url } = await open(
      variable,
      speaking(() => ({ text: ['Grüß ', 'dich'] })),
    );
    const { code, status, body } = await post(url, HELLO, ...WITH_KEY).result;
    expect({ code, status }).toEqual({ code: 0, status: 200 });
    expect(JSON.parse(body)).toMatchObject({
      object: 'chat.completion',
      model: 'm',
      choices: [{ message: { role: 'assistant', content: 'Grüß dich' }, finish_reason: 'stop' }],
      usage: USAGE,
    });
  });

  it('prints a stream token by token with -N', async () => {
    let proceed: (() => void) | undefined;
    const { url } = await open(variable, async ({ write, end }) => {
      for (const word of ['Grüß ', 'dich']) {
        const printed = new Promise<void>((resolve) => {
          proceed = resolve;
        });
        await write(isOllama ? ollamaToken(word) : openaiChunk({ content: word }));
        await printed;
      }
      end(isOllama ? ollamaDone() : openaiChunk({}, 'stop') + sse('[DONE]'));
    });
    const program = post(url, { ...HELLO, stream: true }, '-N', ...WITH_KEY);
    for (const word of ['Grüß ', 'dich']) {
      await program.until(word);
      proceed?.();
    }
    const { code, status, body } = await program.result;
    expect({ code, status }).toEqual({ code: 0, status: 200 });
    expect(parseStream(body)).toMatchObject({ text: 'Grüß dich', isDone: true, error: undefined });
  });

  it('gets the calls of tools', async () => {
    const { url } = await open(variable, weatherModel);
    const tool = { type: 'function', function: { name: 'get_weather', parameters: WEATHER_PARAMETERS } };
    const question = { ...HELLO, messages: [{ role: 'user', content: WEATHER_QUESTION }], tools: [tool] };
    const { status, body } = await post(url, question, ...WITH_KEY).result;
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: null,
            tool_calls: WEATHER_CITIES.map((city) => ({
              id: expect.any(String),
              type: 'function',
              function: { name: 'get_weather', arguments: JSON.stringify({ city }) },
            })),
          },
        },
      ],
    });
  });

  it('gets OpenAI’s error for a backend that fails', async () => {
    const { url } = await open(variable, failing(500, { error: 'out of memory' }));
    const { status, body } = await post(url, { ...HELLO, stream: true }, '-N', ...WITH_KEY).result;
    expect(status).toBe(502);
    expect(JSON.parse(body)).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: 'upstream_error' },
    });
  });

  it('gets OpenAI’s error in the middle of a stream, and no [DONE]', async () => {
    const { url } = await open(variable, breakingAfter('one ', 'two'));
    const { code, status, body } = await post(url, { ...HELLO, stream: true }, '-N', ...WITH_KEY).result;
    expect({ code, status }).toEqual({ code: 0, status: 200 });
    expect(parseStream(body)).toMatchObject({
      text: 'one two',
      isDone: false,
      error: { code: 'upstream_error' },
    });
  });

  it('that is interrupted closes the backend’s connection', async () => {
    const { url, backend } = await open(variable, fallingSilentAfter('one'));
    const program = post(url, { ...HELLO, stream: true }, '-N', ...WITH_KEY);
    await program.until('one');
    program.interrupt();
    await backend.calls[0]?.closed;
    expect((await program.result).code).not.toBe(0);
    expect(backend.calls).toHaveLength(1);
  });
});

describeWithCurl(CURL, () => {
  it.each([
    ['without a key', [], null],
    ['with a wrong key', ['-H', 'Authorization: Bearer wrong'], 'invalid_api_key'],
  ])('%s is not let in', async (_name, args, code) => {
    const { url, backend } = await open('OLLAMA_BASE_URL', saying('never'));
    for (const program of [
      post(url, HELLO, ...args),
      post(url, { ...HELLO, stream: true }, '-N', ...args),
      curl(`${url}/v1/models`, ...args),
    ]) {
      const { status, body } = await program.result;
      expect(status).toBe(401);
      expect(JSON.parse(body)).toEqual({
        error: { message: expect.any(String), type: 'invalid_request_error', param: null, code },
      });
    }
    expect(backend.calls).toHaveLength(0);
  });

  it('is told what is wrong with its request', async () => {
    const { url } = await open('OLLAMA_BASE_URL', saying('never'));
    const { status, body } = await post(url, { model: 'm' }, ...WITH_KEY).result;
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({
      error: { type: 'invalid_request_error', param: 'messages', code: 'missing_required_parameter' },
    });
  });

  it('finds a model whose name holds plain slashes and colons', async () => {
    const id = 'hf.co/bartowski/Qwen2.5-GGUF:Q4_K_M';
    const backend = await setup.backend(saying('x'), { models: [id] });
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, AUTH_KEY: KEY } });
    const { status, body } = await curl(`${url}/v1/models/${id}`, ...WITH_KEY).result;
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ id, object: 'model' });
  });
});
