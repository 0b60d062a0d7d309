/** The operator in front of the built program, with one worker and with two. */

import { appendFile, readdir } from 'node:fs/promises';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMIN_KEY, askAsOperator } from '../../support/operator.ts';
import { buildProgram, runProgram, type Program } from '../../support/program.ts';
import { ollamaToken, saying } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const running: Program[] = [];

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGTERM');
    await program.ended;
  }
});

interface Started {
  readonly program: Program;
  readonly origin: string;
}

async function start(env: Readonly<Record<string, string>>, cwd?: string): Promise<Started> {
  const program = runProgram({ ADMIN_KEY, DRAIN_TIMEOUT: '1000', ...env }, cwd);
  running.push(program);
  const screen = await program.until("}'");
  return { program, origin: /http:\/\/localhost:\d+(?=\/v1)/.exec(screen)?.[0] ?? '' };
}

/** With two workers that both listen. */
async function startTwo(env: Readonly<Record<string, string>>, cwd?: string): Promise<Started> {
  const started = await start({ WORKERS: '2', LOG_FORMAT: 'pretty', ...env }, cwd);
  await eventually(async () => (await pidsOf(started.program)).length === 2);
  return started;
}

async function pidsOf(program: Program): Promise<number[]> {
  const text = await program.until('worker listens');
  return [...text.matchAll(/worker listens pid=(\d+)/g)].map(([, pid]) => Number(pid));
}

/** A connection of its own, so that the next worker gets it. */
function chat(origin: string, body: object = {}, headers: object = {}): Promise<Response> {
  return fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close', ...headers },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body }),
  });
}

async function ask<T>(origin: string, path: string, method?: string): Promise<T> {
  return (await (await askAsOperator(origin + path, method)).json()) as T;
}

interface Usage {
  readonly totals: { readonly requests: number; readonly outputTokens: number };
}

describe('usage', () => {
  it('is there again after the program was ended and started anew, and after it was killed', async () => {
    const backend = await setup.backend(saying('a', 'b'));
    const cwd = mkdtempSync(join(tmpdir(), 'gateway-'));
    const env = { OLLAMA_BASE_URL: backend.url, USAGE_DIR: 'counts' };
    const first = await start(env, cwd);
    for (let i = 0; i < 3; i++) await (await chat(first.origin)).text();
    first.program.process.kill('SIGTERM');
    expect((await first.program.ended).code).toBe(0);

    const second = await start(env, cwd);
    await (await chat(second.origin)).text();
    expect((await ask<Usage>(second.origin, '/admin/usage')).totals.requests).toBe(4);
    second.program.process.kill('SIGKILL');
    await second.program.ended;
    const [file = ''] = await readdir(join(cwd, 'counts'));
    // As if it had been killed while it wrote.
    await appendFile(join(cwd, 'counts', file), '{"day":"2026-');

    const third = await start(env, cwd);
    await (await chat(third.origin)).text();
    const { totals } = await ask<Usage>(third.origin, '/admin/usage');
    expect(totals).toMatchObject({ requests: 5, outputTokens: 10 });
  });

  it('of two workers is one sum in one file, whichever is asked', async () => {
    const backend = await setup.backend(saying('a', 'b'));
    const { origin } = await startTwo({ OLLAMA_BASE_URL: backend.url });
    const answers = await Promise.all(Array.from({ length: 40 }, () => chat(origin)));
    for (const answer of answers) await answer.text();
    for (let i = 0; i < 4; i++) {
      expect((await ask<Usage>(origin, '/admin/usage')).totals).toMatchObject({
        requests: 40,
        outputTokens: 80,
      });
    }
  });

  it('of two workers is one sum also where nothing can be written', async () => {
    const backend = await setup.backend(saying('a', 'b'));
    const { origin } = await startTwo({ OLLAMA_BASE_URL: backend.url, USAGE_DIR: '/dev/null/usage' });
    for (let i = 0; i < 10; i++) await (await chat(origin)).text();
    for (let i = 0; i < 4; i++) expect((await ask<Usage>(origin, '/admin/usage')).totals.requests).toBe(10);
  });
});

interface States {
  readonly backends: readonly {
    readonly name: string;
    readonly drained: boolean;
    readonly inFlight: number;
  }[];
}

describe('with two workers', () => {
  it('a drain reaches both, and one that is born later', async () => {
    const [a, b] = [await setup.backend(saying('a')), await setup.backend(saying('b'))];
    const { program, origin } = await startTwo({ OLLAMA_BASE_URL: `${a.url},${b.url}` });
    const drained = await ask<States>(origin, '/admin/backends/ollama/drain', 'POST');
    expect(drained.backends).toMatchObject([{ name: 'ollama', drained: true }]);
    for (let i = 0; i < 20; i++) await (await chat(origin)).text();
    expect([a.calls.length, b.calls.length]).toEqual([0, 20]);

    // One after the other: with neither of them there would be no port.
    const [one = 0, two = 0] = await pidsOf(program);
    process.kill(one, 'SIGKILL');
    await eventually(async () => (await pidsOf(program)).length === 3);
    process.kill(two, 'SIGKILL');
    await eventually(async () => (await pidsOf(program)).length === 4);
    for (let i = 0; i < 20; i++) await (await chat(origin)).text();
    expect([a.calls.length, b.calls.length]).toEqual([0, 40]);

    await ask(origin, '/admin/backends/ollama/resume', 'POST');
    for (let i = 0; i < 20; i++) await (await chat(origin)).text();
    expect(a.calls.length).toBeGreaterThan(0);
  });

  it('what goes on in both is added up, and can be ended in both', async () => {
    const backend = await setup.backend(({ write }) => write(ollamaToken('begun')));
    const { origin } = await startTwo({ OLLAMA_BASE_URL: backend.url });
    const streams = await Promise.all(
      Array.from({ length: 8 }, async () =>
        openStream(await chat(origin, { stream: true }, { 'x-request-id': 'same' })),
      ),
    );
    await Promise.all(streams.map((stream) => stream.until('begun')));
    interface Streams {
      readonly streams: readonly { readonly requestId: string }[];
      readonly totals: Readonly<Record<string, number>>;
    }
    for (const path of ['/admin/streams', '/api/chat/streams']) {
      const told = await ask<Streams>(origin, path);
      expect(told.streams).toHaveLength(8);
      expect(told.totals.active).toBe(8);
    }
    const { backends } = await ask<States>(origin, '/admin/backends');
    expect(backends).toMatchObject([{ name: 'ollama', inFlight: 8 }]);

    expect(await ask(origin, '/admin/streams/same', 'DELETE')).toEqual({ requestId: 'same', cancelled: 8 });
    for (const stream of streams) {
      expect(parseStream(await stream.rest()).error?.code).toBe('request_cancelled');
    }
    const after = await ask<Streams>(origin, '/admin/streams');
    expect(after.totals).toMatchObject({ active: 0, shutdown: 8 });
  });

  it('a key that is made by one is good in both within a moment, and so is its end', async () => {
    const backend = await setup.backend(saying('x'));
    const cwd = mkdtempSync(join(tmpdir(), 'gateway-'));
    writeFileSync(join(cwd, 'keys.json'), '{"keys":[]}');
    const env = { OLLAMA_BASE_URL: backend.url, KEY_FILE: 'keys.json', HOST: '127.0.0.1' };
    const { origin } = await startTwo(env, cwd);
    const made = await askAsOperator(`${origin}/admin/keys`, 'POST', { name: 'alice' });
    const { id, key } = (await made.json()) as { id: string; key: string };
    const statuses = async (): Promise<number[]> =>
      Promise.all(
        Array.from({ length: 8 }, async () => {
          const response = await chat(origin, {}, { authorization: `Bearer ${key}` });
          await response.text();
          return response.status;
        }),
      );
    await eventually(async () => (await statuses()).every((status) => status === 200));
    await ask(origin, `/admin/keys/${id}`, 'DELETE');
    await eventually(async () => (await statuses()).every((status) => status === 401));
  });

  it('a second port is shared as well, and a start without it ends', async () => {
    const backend = await setup.backend(saying('x'));
    const { origin, program } = await startTwo({ OLLAMA_BASE_URL: backend.url, ADMIN_PORT: '0' });
    const [, adminOrigin = ''] = /Operator +(http:\S+)\/admin/.exec(await program.until('Operator')) ?? [];
    for (let i = 0; i < 4; i++) {
      expect((await askAsOperator(`${adminOrigin}/admin/backends`)).status).toBe(200);
      expect((await askAsOperator(`${origin}/admin/backends`)).status).toBe(404);
    }
    const port = new URL(adminOrigin).port;
    const other = runProgram({ OLLAMA_BASE_URL: backend.url, WORKERS: '2', ADMIN_PORT: port });
    const { code, stderr } = await other.ended;
    expect(code).toBe(1);
    expect(stderr).toContain('ADMIN_PORT');
  });
});
