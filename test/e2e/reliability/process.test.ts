/** Faults of the program itself: a forgotten promise, and configurations that cannot be. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildProgram, runProgram } from '../../support/program.ts';
import { createPrograms } from '../../support/programs.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const start = createPrograms();
const STREAMS = 30;

beforeAll(buildProgram, 60_000);

/** Loaded before the program: a signal has it forget a promise. */
const FORGETFUL = `
process.on('SIGUSR2', () => {
  void Promise.reject(new Error('forgotten, with a key: sk-1234567890abcdef1234567890'));
});`;

/** A new folder with this file in it. */
function fileOf(name: string, text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), name);
  writeFileSync(path, text);
  return path;
}

it('a promise that nobody waits for cuts none of 30 streams, and is logged', async () => {
  const calls: ScriptedCall[] = [];
  const backend = await setup.backend(async (call) => {
    await call.write(ollamaToken('one'));
    calls.push(call);
  });
  const program = await start({
    OLLAMA_BASE_URL: backend.url,
    NODE_OPTIONS: `--import ${pathToFileURL(fileOf('forgetful.mjs', FORGETFUL)).href}`,
  });
  const { pid } = program.process;
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, async () => {
      const stream = openStream(await program.chat({ stream: true }));
      await stream.until('one');
      return stream;
    }),
  );
  program.process.kill('SIGUSR2');
  const screen = await program.until('unhandled rejection');
  for (const call of calls) call.end(ollamaToken('two') + ollamaDone());
  for (const stream of streams) {
    expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
  }
  expect(screen).not.toContain('sk-1234567890abcdef');
  expect(program.process.pid).toBe(pid);
  backend.script(saying('fine'));
  expect((await program.chat()).status).toBe(200);
});

const ONE = '{ name: a, kind: ollama, url: "http://a:11434" }';
const SECRET = 'sk-secret-0123456789-0123456789-0123456789';

/** A file and variables that cannot be, and what has to be said of them. */
const BROKEN: readonly (readonly [string, string, Readonly<Record<string, string>>, RegExp])[] = [
  ['is no YAML', 'backends: [\n  { name: a', {}, /gateway\.yaml.*\n?.*line|gateway\.yaml:\d/],
  ['has an unknown setting', `serverr: {}\nbackends: [${ONE}]`, {}, /serverr.*[Dd]id you mean.*server/s],
  ['has a number that is none', `limits: { queue: lots }\nbackends: [${ONE}]`, {}, /limits\.queue/],
  ['has an unknown kind', 'backends: [{ name: a, kind: olama, url: "http://a" }]', {}, /kind.*ollama/s],
  [
    'has a URL that is none',
    'backends: [{ name: a, kind: ollama, url: "a:11434" }]',
    {},
    /backends\[0\]\.url/,
  ],
  ['has a name twice', `backends: [${ONE}, ${ONE}]`, {}, /name.*'a'/s],
  [
    'has an alias of a backend that is not there',
    `backends: [${ONE}]\nmodels: { x: { targets: [{ backend: b, model: m }] } }`,
    {},
    /targets\[0\]\.backend.*'b'/s,
  ],
  ['has a key that is too short', `auth: { key: "sk-short" }\nbackends: [${ONE}]`, {}, /auth\.key/],
  ['may be reached by everybody', `server: { host: "0.0.0.0" }\nbackends: [${ONE}]`, {}, /AUTH_KEY/],
  [
    'has a variable that is no number',
    `backends: [${ONE}]`,
    { FIRST_TOKEN_TIMEOUT_MS: 'soon' },
    /FIRST_TOKEN_TIMEOUT_MS/,
  ],
  [
    'has a time without a unit',
    `circuit: { openMs: "5 parsecs" }\nbackends: [${ONE}]`,
    {},
    /circuit\.openMs/,
  ],
  [
    'has a file of a secret that is not there',
    `backends: [${ONE}]`,
    { AUTH_KEY_FILE: '/nowhere' },
    /AUTH_KEY_FILE/,
  ],
];

describe('a configuration that', () => {
  it.each(BROKEN)(
    '%s ends the program with its cause, without a stack and without a key',
    async (_, text, env, cause) => {
      const path = fileOf('gateway.yaml', text);
      const { ended } = runProgram({ GATEWAY_CONFIG: path, OPENAI_API_KEY: SECRET, ...env });
      const { code, stdout, stderr } = await ended;
      expect(code).toBe(78);
      expect(stderr).toMatch(cause);
      expect(stdout + stderr).not.toMatch(/\n\s+at |sk-short|sk-secret/);
    },
  );

  it('is refused by a program of several workers, too, and once', async () => {
    const path = fileOf('gateway.yaml', 'server: { workers: 2 }\nlimits: { queue: lots }');
    const { code, stderr } = await runProgram({ GATEWAY_CONFIG: path }).ended;
    expect(code).toBe(78);
    expect(stderr.match(/limits\.queue/g)).toHaveLength(1);
  });
});
