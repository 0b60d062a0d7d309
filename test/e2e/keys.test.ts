/** Keys of a key file through the built program: made by its commands, taken over while it runs. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { buildProgram, programFolder, runProgram, type Program } from '../support/program.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream, parseStream } from '../support/sse.ts';
import { failureOf } from './clients/failure-of.ts';

const setup = createSetup();
const running: Program[] = [];
let folder: string;

beforeAll(buildProgram, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keys-'));
});
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGKILL');
    await program.ended;
  }
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function keys(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return runProgram(env, folder, ['keys', ...args]).ended;
}

/** Makes a key and gives it. */
async function create(name: string, ...more: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await keys(['create', '--name', name, ...more]);
  expect([code, stderr]).toEqual([0, expect.stringContaining(name)]);
  return stdout.trim();
}

async function start(
  env: Readonly<Record<string, string>> = {},
): Promise<{ program: Program; origin: string }> {
  const backend = await setup.backend(saying('Hello'), { models: ['llama3.2', 'qwen3'] });
  const program = runProgram(
    { OLLAMA_BASE_URL: backend.url, KEY_FILE: 'keys.json', HOST: '127.0.0.1', ...env },
    folder,
  );
  running.push(program);
  const screen = await program.until("}'");
  return { program, origin: originOf(screen) };
}

function originOf(screen: string): string {
  return /http:\/\/localhost:\d+(?=\/v1)/.exec(screen)?.[0] ?? '';
}

/** On a connection of its own, so that each worker gets its turn. */
function statusOf(origin: string, key: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, connection: 'close' };
  return fetch(`${origin}/v1/models`, { headers }).then(({ status }) => status);
}

/** Every one of several says the same: with workers, each was asked. */
async function agree(origin: string, key: string, status: number): Promise<boolean> {
  const statuses = [];
  for (let i = 0; i < 6; i++) statuses.push(await statusOf(origin, key));
  return statuses.every((each) => each === status);
}

describe('the program with a key file', () => {
  it('says where its keys are and shows none', async () => {
    const key = await create('alice');
    const { program } = await start();
    const screen = await program.until("}'");
    expect(screen).toContain('one of keys.json');
    expect(screen).toContain('$API_KEY');
    expect(screen).not.toContain(key);
    expect(screen).not.toMatch(/sk-|sha256/);
  });

  it('lets in who has a key, to the models of the key, as the SDK understands it', async () => {
    const apiKey = await create('alice', '--models', 'llama*');
    const { origin } = await start();
    const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey });
    const ask = (openai: OpenAI, model: string): Promise<OpenAI.ChatCompletion> =>
      openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] });
    expect((await ask(client, 'llama3.2')).choices[0]?.message.content).toBe('Hello');
    const models: string[] = [];
    for await (const { id } of client.models.list()) models.push(id);
    expect(models).toEqual(['llama3.2']);
    expect(await failureOf(ask(client, 'qwen3'))).toBeInstanceOf(OpenAI.NotFoundError);
    const stranger = new OpenAI({ baseURL: `${origin}/v1`, apiKey: `${apiKey}x` });
    expect(await failureOf(ask(stranger, 'llama3.2'))).toBeInstanceOf(OpenAI.AuthenticationError);
  });

  it.each([
    ['one process', {}],
    ['two workers', { WORKERS: '2' }],
  ])('takes over each change while it runs, with %s', async (_, env) => {
    const first = await create('alice');
    const { origin } = await start(env);
    expect(await agree(origin, first, 200)).toBe(true);

    const bob = await create('bob');
    await eventually(() => agree(origin, bob, 200));

    const { stdout } = await keys(['rotate', 'alice', '--grace', '1h']);
    const second = stdout.trim();
    await eventually(() => agree(origin, second, 200));
    expect(await agree(origin, first, 200)).toBe(true);

    const third = (await keys(['rotate', 'alice'])).stdout.trim();
    await eventually(() => agree(origin, third, 200));
    expect([await agree(origin, first, 401), await agree(origin, second, 401)]).toEqual([true, true]);

    await keys(['revoke', 'bob']);
    await eventually(() => agree(origin, bob, 401));
    // With the last key gone nobody enters: a gateway without keys is something else.
    await keys(['revoke', 'alice']);
    await eventually(() => agree(origin, third, 401));
    expect(await statusOf(origin, '')).toBe(401);
  });

  it('lets a stream that goes on come to its end when its key is revoked', async () => {
    const key = await create('alice');
    let call: ScriptedCall | undefined;
    const backend = await setup.backend(async (given) => {
      call = given;
      await given.write(ollamaToken('one'));
    });
    const { origin } = await start({ OLLAMA_BASE_URL: backend.url });
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
    const stream = openStream(
      await fetch(`${origin}/v1/chat/completions`, { method: 'POST', headers, body }),
    );
    await stream.until('one');
    await keys(['revoke', 'alice']);
    await eventually(async () => (await statusOf(origin, key)) === 401);
    call?.end(ollamaToken('two') + ollamaDone());
    expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
  });

  it('keeps its keys and says why when the file has become broken or is gone', async () => {
    const key = await create('alice');
    const file = join(folder, 'keys.json');
    const { program, origin } = await start();
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace('"sha256:', '"md5:'));
    await program.until('keys.json:6:15');
    expect(await statusOf(origin, key)).toBe(200);
    renameSync(file, `${file}.away`);
    await program.until("cannot read the file 'keys.json'");
    expect([await statusOf(origin, key), await statusOf(origin, '')]).toEqual([200, 401]);
    renameSync(`${file}.away`, file);
    writeFileSync(file, good);
    const bob = await create('bob');
    await eventually(async () => (await statusOf(origin, bob)) === 200);
    program.process.kill('SIGTERM');
    const { stdout } = await program.ended;
    expect(stdout).not.toContain(key);
    expect(stdout).not.toContain(JSON.stringify(good).slice(40, 100));
  });

  it.each([
    ['broken', '{"keys": [{"id": "x",]}', /keys\.json:1:\d+/],
    ['not there', undefined, /KEY_FILE.*keys create --name NAME --file keys\.json/],
    ['empty', '', /keys\.json:1:1/],
  ])('does not start when it is %s', async (_, text, message) => {
    if (text !== undefined) writeFileSync(join(folder, 'keys.json'), text);
    const { code, stderr } = await runProgram(
      { KEY_FILE: 'keys.json', OLLAMA_BASE_URL: 'http://127.0.0.1:1' },
      folder,
    ).ended;
    expect([code, stderr]).toEqual([78, expect.stringMatching(message)]);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('opens the operator’s endpoints to the keys of operators, and to no others', async () => {
    const operator = await create('olga', '--admin');
    const client = await create('alice');
    const { origin } = await start();
    const list = async (key: string): Promise<number> =>
      (await fetch(`${origin}/api/chat/streams`, { headers: { authorization: `Bearer ${key}` } })).status;
    expect([await list(operator), await list(client), await list('')]).toEqual([200, 401, 401]);
    // It is a client's key as well.
    expect(await statusOf(origin, operator)).toBe(200);
    await keys(['revoke', 'olga']);
    // With the last one gone there is nothing here.
    await eventually(async () => (await list(operator)) === 404);
  });
});

it('a gateway that others reach does not become open when its keys are taken out of the configuration', async () => {
  const backend = await setup.backend(saying('x'));
  const config = join(folder, 'gateway.yaml');
  const key = 'a-key-of-at-least-thirty-two-characters';
  writeFileSync(config, `auth: { key: ${key} }`);
  const program = runProgram({ OLLAMA_BASE_URL: backend.url }, folder);
  running.push(program);
  const origin = originOf(await program.until("}'"));
  writeFileSync(config, 'strict: true');
  await program.until('without a key everybody could use the backends');
  expect([await statusOf(origin, key), await statusOf(origin, '')]).toEqual([200, 401]);
});

it('a key file that a reload has brought, in another folder, is watched like the first one', async () => {
  const backend = await setup.backend(saying('x'));
  const file = join(mkdtempSync(join(tmpdir(), 'keys-')), 'elsewhere.json');
  const config = join(folder, 'gateway.yaml');
  writeFileSync(config, 'auth: { key: a-key-of-at-least-thirty-two-characters }');
  const program = runProgram({ OLLAMA_BASE_URL: backend.url, HOST: '127.0.0.1' }, folder);
  running.push(program);
  const origin = originOf(await program.until("}'"));
  const alice = await create('alice', '--file', file);
  writeFileSync(config, `auth: { keyFile: "${file}" }`);
  await eventually(async () => (await statusOf(origin, alice)) === 200);
  const bob = await create('bob', '--file', file);
  await eventually(async () => (await statusOf(origin, bob)) === 200);
});

describe('the commands', () => {
  it('lose nothing when several processes change the file at once', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const made = await Promise.all(names.map((name) => create(name)));
    expect(new Set(made).size).toBe(names.length);
    const { keys: stored } = JSON.parse(readFileSync(join(folder, 'keys.json'), 'utf8')) as {
      keys: { name: string }[];
    };
    expect(stored.map(({ name }) => name).sort()).toEqual(names);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('can be used in a shell: the key alone is on standard output', async () => {
    const main = join(programFolder(), 'main.js');
    const script = `KEY=$("${process.execPath}" "${main}" keys create --name ci 2>/dev/null); echo "[$KEY]"`;
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder });
    expect(stdout).toMatch(/^\[sk-[0-9A-Za-z]{49}\]\n$/);
  });

  it('read .env of the working folder, as the gateway does', async () => {
    writeFileSync(join(folder, '.env'), 'KEY_FILE=from-dotenv.json\n');
    await create('alice');
    expect(readdirSync(folder).sort()).toEqual(['.env', 'from-dotenv.json']);
  });

  it('do not load the server', async () => {
    const coverage = mkdtempSync(join(tmpdir(), 'coverage-'));
    await keys(['list'], { NODE_V8_COVERAGE: coverage });
    const loaded = readdirSync(coverage).flatMap((name) => {
      const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as {
        result: { url: string }[];
      };
      return result.map(({ url }) => url).filter((url) => url.includes(programFolder()));
    });
    const files = loaded.map((url) => basename(url));
    expect(files).toContain('main.js');
    expect(files.some((name) => name.startsWith('keys-'))).toBe(true);
    expect(files.filter((name) => name.startsWith('main-'))).toEqual([]);
  });

  it('that there are not are told from those that there are', async () => {
    const unknown = await runProgram({}, folder, ['kyes']).ended;
    expect([unknown.code, unknown.stderr]).toEqual([64, expect.stringMatching(/'kyes'.*keys --help/s)]);
    const help = await runProgram({}, folder, ['--help']).ended;
    expect([help.code, help.stdout]).toEqual([0, expect.stringMatching(/keys --help/)]);
  });
});
