/**
 * The whole program in front of the real backends of this machine: those of the environment, .env or
 * gateway.yaml, else what answers on the usual ports. Without any it says so and skips.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { buildProgram, runProgram, type Program } from '../support/program.ts';

/** A cold model may have to be loaded first. */
const ANSWER_MS = 300_000;

const KEY = 'live-tests-use-a-key-of-their-own-0123456789';

const QUESTION: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Say hello in one word.' }];
const PLACE = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

interface Live {
  readonly program: Program;
  readonly baseURL: string;
  readonly client: OpenAI;
  /** One for each owner is enough. */
  readonly models: readonly string[];
}

/** undefined, and a word about it, when no backend answers. */
async function startLive(): Promise<Live | undefined> {
  buildProgram();
  // As in production: no demo takes the place of a model server that is not there.
  const env = { ...definedEnv(), NODE_ENV: 'production', LOG_FORMAT: 'pretty', AUTH_KEY: KEY, PORT: '0' };
  const program = runProgram(env, process.cwd());
  const screen = await program.until("}'").catch(() => undefined);
  if (screen === undefined) {
    const { stderr } = await program.ended;
    process.stderr.write(`test:live skips, because the gateway did not start.\n${stderr}`);
    return undefined;
  }
  const baseURL = /http:\/\/localhost:\d+\/v1/.exec(screen)?.[0] ?? '';
  const client = new OpenAI({ baseURL, apiKey: KEY, maxRetries: 0 });
  const { data } = await client.models.list();
  const chatting = data.filter(({ id }) => !/embed/i.test(id)).reverse();
  const models = [...new Map(chatting.map(({ id, owned_by: owner }) => [owner, id])).values()];
  process.stderr.write(
    `test:live asks ${models.join(', ') || 'nobody: no backend answers or lists a model'}\n`,
  );
  return { program, baseURL, client, models };
}

function definedEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

const live = await startLive();

afterAll(async () => {
  live?.program.process.kill('SIGTERM');
  await live?.program.ended;
});

if (!live || live.models.length === 0) {
  it.skip('no backend answers', () => undefined);
} else {
  const { client, baseURL, models } = live;
  describe.each(models)('%s', (model) => {
    it(
      'answers openai in one piece',
      async () => {
        const { choices } = await client.chat.completions.create({ model, messages: QUESTION });
        expect(choices[0]?.message.content).not.toBe('');
        expect(choices[0]?.finish_reason).toBe('stop');
      },
      ANSWER_MS,
    );

    it(
      'streams to openai, with its usage',
      async () => {
        const stream = client.chat.completions.stream({
          model,
          messages: QUESTION,
          stream: true,
          stream_options: { include_usage: true },
        });
        const { choices, usage } = await stream.finalChatCompletion();
        expect(choices[0]?.message.content).not.toBe('');
        expect(usage?.completion_tokens).toBeGreaterThan(0);
      },
      ANSWER_MS,
    );

    it(
      'calls the function that it must call',
      async () => {
        const { choices } = await client.chat.completions.create({
          model,
          messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
          tools: [{ type: 'function', function: { name: 'get_weather', parameters: PLACE } }],
          tool_choice: { type: 'function', function: { name: 'get_weather' } },
        });
        const [call] = choices[0]?.message.tool_calls ?? [];
        expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } });
      },
      ANSWER_MS,
    );

    it(
      'streams to curl, to the end',
      async () => {
        const { stdout } = await promisify(execFile)('curl', [
          ...['-sN', `${baseURL}/chat/completions`],
          ...['-H', `Authorization: Bearer ${KEY}`, '-H', 'Content-Type: application/json'],
          ...['-d', JSON.stringify({ model, messages: QUESTION, stream: true })],
        ]);
        expect(stdout).toMatch(/data: \[DONE\]\n\n$/);
      },
      ANSWER_MS,
    );
  });
}
