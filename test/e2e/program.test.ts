/** The program from its start to its end, as somebody at a terminal or a supervisor sees it. */

import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildProgram, runProgram, type Program } from '../support/program.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { openStream, parseStream, readStream } from '../support/sse.ts';

const setup = createSetup();
const itWithCurl = spawnSync('curl', ['--version']).status === 0 ? it : it.skip;
const running: Program[] = [];

beforeAll(buildProgram, 60_000);
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGKILL');
    await program.ended;
  }
});

function start(env: Readonly<Record<string, string>>): Program {
  const program = runProgram(env);
  running.push(program);
  return program;
}

function originOf(screen: string): string {
  const [origin] = /http:\/\/localhost:\d+(?=\/v1)/.exec(screen) ?? [];
  if (origin === undefined) throw new Error(`no base URL on the screen: ${screen}`);
  return origin;
}

function chat(
  origin: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], ...body }),
  });
}

describe('the program', () => {
  itWithCurl('shows a curl line that streams when it is pasted', async () => {
    const backend = await setup.backend(saying('Hello', ' there'));
    const program = start({ OLLAMA_BASE_URL: backend.url });
    const screen = await program.until("}'");
    const line = /curl .*/.exec(screen)?.[0] ?? '';
    const { stdout } = await promisify(execFile)('bash', ['-c', `${line} -s`]);
    expect(parseStream(stdout)).toMatchObject({ text: 'Hello there', isDone: true });
  });

  it('shows its backends, models, address and key', async () => {
    const backend = await setup.backend(saying('Hello', ' there'), {
      models: ['llama3.2:latest', 'nomic-embed-text'],
    });
    const program = start({ OLLAMA_BASE_URL: backend.url, OLLAMA_MODEL: 'llama3.2' });
    const screen = await program.until('curl');
    expect(screen).toMatch(/ollama .*2 models/);
    expect(screen).toMatch(/llama3\.2:latest/);
    expect(screen).toMatch(/sk-local/);
  });

  it('writes its log as JSON in production, and no screen', async () => {
    const backend = await setup.backend(saying('x'));
    const program = start({ OLLAMA_BASE_URL: backend.url, NODE_ENV: 'production' });
    const lines = (await program.until('"listening"')).trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { message: string; port?: number });
    expect(entries.map(({ message }) => message)).toEqual(['backend is up', 'listening']);
  });

  it('ends with 78 and every fault when the configuration is wrong, without a stack', async () => {
    const { code, stderr } = await start({ PORT: 'abc', LOG_LEVEL: 'loud', OLLAMA_BASE_URL: 'nowhere' })
      .ended;
    expect(code).toBe(78);
    for (const name of ['PORT', 'LOG_LEVEL', 'OLLAMA_BASE_URL']) expect(stderr).toContain(name);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('says what to do when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { code, stderr } = await start({ PORT: String(port), OLLAMA_BASE_URL: 'http://127.0.0.1:1' }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/PORT/);
    expect(stderr).not.toMatch(/\n\s+at /);
    other.close();
  });

  it('starts while its backend is down, and serves as soon as that is up', async () => {
    const backend = await setup.backend(saying('back'));
    const { port } = backend;
    await backend.close();
    const program = start({ OLLAMA_BASE_URL: `http://127.0.0.1:${String(port)}`, PROBE_INTERVAL_MS: '100' });
    const screen = await program.until('No backend answers');
    expect(screen).toContain('DOWN');
    expect(screen).not.toContain('curl');
    const origin = originOf(screen);
    expect((await fetch(`${origin}/readyz`)).status).toBe(503);
    expect((await chat(origin, { model: 'm' })).status).toBe(503);
    await setup.backend(saying('back'), { port });
    await program.until('backend is up');
    expect((await fetch(`${origin}/readyz`)).status).toBe(200);
    expect((await chat(origin, { model: 'm' })).status).toBe(200);
  });

  it('asks for its key when it has one, and does not show it', async () => {
    const backend = await setup.backend(saying('x'));
    const key = 'a-key-of-at-least-thirty-two-characters';
    const program = start({ OLLAMA_BASE_URL: backend.url, AUTH_KEY: key, HOST: '127.0.0.1' });
    const screen = await program.until('curl');
    expect(screen).not.toContain(key);
    const origin = originOf(screen);
    expect((await chat(origin, { model: 'm' })).status).toBe(401);
    expect((await chat(origin, { model: 'm' }, { authorization: `Bearer ${key}` })).status).toBe(200);
    program.process.kill('SIGTERM');
    expect((await program.ended).stdout).not.toContain(key);
  });
});

describe('a signal', () => {
  it('lets the streams that go on finish, takes nothing new, then ends the program with 0', async () => {
    let call: ScriptedCall | undefined;
    const backend = await setup.backend(async (given) => {
      call = given;
      await given.write(ollamaToken('one'));
    });
    const program = start({ OLLAMA_BASE_URL: backend.url });
    const origin = originOf(await program.until('curl'));
    const stream = openStream(await chat(origin, { model: 'm', stream: true }));
    await stream.until('one');
    program.process.kill('SIGTERM');
    await program.until('draining');
    const refused = await chat(origin, { model: 'm' });
    expect(refused.status).toBe(503);
    expect([refused.headers.get('connection'), refused.headers.get('retry-after')]).toEqual(['close', '1']);
    expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down' } });
    expect((await fetch(`${origin}/readyz`)).status).toBe(503);
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    call?.end(ollamaToken('two') + ollamaDone());
    expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
    expect((await program.ended).code).toBe(0);
    await expect(fetch(`${origin}/health`)).rejects.toThrow();
  });

  it('lets all be served for a while, if that is set, and only says that it is leaving', async () => {
    const backend = await setup.backend(saying('fine'));
    const program = start({ OLLAMA_BASE_URL: backend.url, DRAIN_DELAY: '1s' });
    const origin = originOf(await program.until('curl'));
    program.process.kill('SIGTERM');
    await program.until('draining');
    expect((await fetch(`${origin}/readyz`)).status).toBe(503);
    const served = await chat(origin, { model: 'm' });
    expect([served.status, served.headers.get('connection')]).toEqual([200, 'close']);
    expect((await program.ended).code).toBe(0);
  });

  it('lets requests that are passed on raw come to their end', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      calls.push(call);
      await call.write('one');
    });
    const program = start({ VLLM_BASE_URL: backend.url });
    const origin = originOf(await program.until('curl'));
    const response = await fetch(`${origin}/v1/audio/speech`, { method: 'POST', body: '{}' });
    program.process.kill('SIGTERM');
    await program.until('draining');
    calls[0]?.end('two');
    expect(await response.text()).toBe('onetwo');
    expect((await program.ended).code).toBe(0);
  });

  it('ends the streams that outlast the drain with an error', async () => {
    const backend = await setup.backend(({ write }) => write(ollamaToken('endless')));
    const program = start({ OLLAMA_BASE_URL: backend.url, DRAIN_TIMEOUT: '100' });
    const origin = originOf(await program.until('curl'));
    const stream = openStream(await chat(origin, { model: 'm', stream: true }));
    await stream.until('endless');
    program.process.kill('SIGTERM');
    expect(parseStream(await stream.rest())).toMatchObject({
      isDone: false,
      error: { code: 'shutting_down' },
    });
    expect((await program.ended).code).toBe(0);
  });

  it('sent twice ends the program at once', async () => {
    const backend = await setup.backend(({ write }) => write(ollamaToken('endless')));
    const program = start({ OLLAMA_BASE_URL: backend.url });
    const origin = originOf(await program.until('curl'));
    await openStream(await chat(origin, { model: 'm', stream: true })).until('endless');
    program.process.kill('SIGTERM');
    await program.until('draining');
    program.process.kill('SIGTERM');
    expect((await program.ended).code).not.toBe(0);
  });
});

describe('without any backend', () => {
  /** This machine may have real model servers on their usual ports; then there is no demo to see. */
  const LOCAL_PORTS = [11434, 8000, 1234, 8080];

  async function isAnyLocalServer(): Promise<boolean> {
    const answers = await Promise.all(
      LOCAL_PORTS.map((port) =>
        fetch(`http://localhost:${String(port)}/`).then(
          () => true,
          () => false,
        ),
      ),
    );
    return answers.includes(true);
  }

  it('the demo answers, token by token, and says that it is simulated', async () => {
    if (await isAnyLocalServer()) return;
    const program = start({});
    const screen = await program.until('curl');
    expect(screen).toMatch(/SIMULATED/);
    const stream = await readStream(await chat(originOf(screen), { model: 'demo', stream: true }));
    expect(stream.text).toMatch(/simulated/);
    expect(stream.events.length).toBeGreaterThan(10);
  });

  it('production does not start', async () => {
    if (await isAnyLocalServer()) return;
    const { code, stderr } = await start({ NODE_ENV: 'production' }).ended;
    expect(code).toBe(78);
    expect(stderr).toMatch(/OLLAMA_BASE_URL/);
  });
});
