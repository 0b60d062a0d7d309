/** Several workers on one port. */

import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { buildProgram, runProgram, type Program } from '../support/program.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream, parseStream } from '../support/sse.ts';

const setup = createSetup();
const running: Program[] = [];

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGTERM');
    await program.ended;
  }
});

async function startCluster(
  env: Readonly<Record<string, string>>,
): Promise<{ program: Program; origin: string }> {
  const program = runProgram({ WORKERS: '2', DRAIN_TIMEOUT: '1000', ...env });
  running.push(program);
  const screen = await program.until("}'");
  return { program, origin: /http:\/\/localhost:\d+(?=\/v1)/.exec(screen)?.[0] ?? '' };
}

/** A connection of its own, so that the next worker gets it. */
function chat(origin: string, body: object = {}): Promise<Response> {
  return fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
  });
}

it('their numbers are told together, whichever is asked', async () => {
  const backend = await setup.backend(saying('x'));
  const { origin } = await startCluster({ OLLAMA_BASE_URL: backend.url });
  for (let i = 0; i < 10; i++) await (await chat(origin, { stream: true })).text();
  const text = await (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text();
  expect(text).toMatch(/^ai_gateway_streams_total\{status="completed"\} 10$/m);
  expect(text).toMatch(/^ai_gateway_backend_up\{backend="ollama"\} 1$/m);
});

it('one that is killed is replaced, and the others serve meanwhile', async () => {
  const backend = await setup.backend(saying('x'));
  const { program, origin } = await startCluster({ OLLAMA_BASE_URL: backend.url, LOG_FORMAT: 'pretty' });
  const listening = (all: string): number => all.split('worker listens').length - 1;
  await eventually(async () => listening(await program.until('worker listens')) === 2);
  const [, victim] = /worker listens pid=(\d+)/.exec(await program.until('worker listens')) ?? [];
  process.kill(Number(victim), 'SIGKILL');
  await program.until('worker died');
  for (let i = 0; i < 10; i++) expect((await chat(origin)).status).toBe(200);
  await eventually(async () => listening(await program.until('worker died')) === 3);
});

it('a signal drains all of them and ends the program with 0', async () => {
  const calls: ScriptedCall[] = [];
  const backend = await setup.backend(async (call) => {
    calls.push(call);
    await call.write(ollamaToken('one'));
  });
  const { program, origin } = await startCluster({ OLLAMA_BASE_URL: backend.url });
  const streams = await Promise.all(
    [1, 2, 3, 4].map(async () => openStream(await chat(origin, { stream: true }))),
  );
  await Promise.all(streams.map((stream) => stream.until('one')));
  program.process.kill('SIGTERM');
  await program.until('draining');
  for (const call of calls) call.end(ollamaToken('two') + ollamaDone());
  for (const stream of streams) {
    expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
  }
  expect((await program.ended).code).toBe(0);
});

it('a start that cannot succeed ends with its reason, and is not tried again', async () => {
  const program = runProgram({
    WORKERS: '2',
    OLLAMA_BASE_URL: 'http://127.0.0.1:1',
    HOST: '203.0.113.1',
    ALLOW_ANONYMOUS: 'true',
    PORT: '3999',
  });
  const { code } = await program.ended;
  expect(code).toBe(1);
});
