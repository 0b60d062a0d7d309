/** The configuration changes while streams go on: new requests live by the new one, and nothing is cut. */

import { mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { expectWithin } from '../../support/figures.ts';
import { buildProgram } from '../../support/program.ts';
import { createPrograms, type RunningProgram } from '../../support/programs.ts';
import {
  ollamaDone,
  ollamaToken,
  saying,
  type ScriptedBackend,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const start = createPrograms();
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const STREAMS = 50;
const BROKEN = 'backends: [{ name: a, kind: olama, url: "http://a" }]';
const OWN_CONNECTION = { headers: { 'content-type': 'application/json', connection: 'close' } };

const fileOf = ({ url }: ScriptedBackend, more = ''): string =>
  `${more}\nbackends: [{ name: b, kind: ollama, url: "${url}" }]`;

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'gateway-'));

/** A place where a configuration can be put. */
interface Place {
  readonly path: string;
  put(text: string): void;
}

/** As Kubernetes mounts a ConfigMap: two symbolic links, of which the inner one is swapped. */
function configMap(text: string): Place {
  const folder = newFolder();
  let versions = 0;
  function put(next: string): void {
    const version = `..v${String(versions++)}`;
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'gateway.yaml'), next);
    symlinkSync(version, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  }
  put(text);
  symlinkSync(join('..data', 'gateway.yaml'), join(folder, 'gateway.yaml'));
  return { path: join(folder, 'gateway.yaml'), put };
}

function writtenInPlace(text: string): Place {
  const path = join(newFolder(), 'gateway.yaml');
  writeFileSync(path, text);
  return { path, put: (next) => writeFileSync(path, next) };
}

function replaced(text: string): Place {
  const path = join(newFolder(), 'gateway.yaml');
  writeFileSync(path, text);
  return {
    path,
    put(next) {
      writeFileSync(`${path}~`, next);
      renameSync(`${path}~`, path);
    },
  };
}

/** Who answers now: each backend says its own name. */
async function answerOf({ chat }: RunningProgram): Promise<string> {
  const body = (await (await chat({}, OWN_CONNECTION)).json()) as {
    choices: { message: { content: string } }[];
  };
  return body.choices[0]?.message.content ?? '';
}

/** How often this stands on the screen by now. */
async function countOf({ until }: RunningProgram, text: string): Promise<number> {
  return (await until('curl')).split(text).length - 1;
}

describe('through a program', () => {
  beforeAll(buildProgram, 60_000);

  it.each([
    ['a ConfigMap', configMap],
    ['a file that is written in place', writtenInPlace],
    ['a file that is replaced', replaced],
  ])('%s changes three times, once to the worse, and cuts none of 50 streams', async (_, make) => {
    const calls: ScriptedCall[] = [];
    const first = await setup.backend(async (call) => {
      await call.write(ollamaToken('one'));
      calls.push(call);
    });
    const second = await setup.backend(saying('second'));
    const third = await setup.backend(saying('third'));
    const place = make(fileOf(first));
    const program = await start({ GATEWAY_CONFIG: place.path });
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, async () => {
        const stream = openStream(await program.chat({ stream: true }));
        await stream.until('one');
        return stream;
      }),
    );

    const changedMs = performance.now();
    place.put(fileOf(second));
    await program.until('configuration reloaded');
    expect(await answerOf(program)).toBe('second');
    expectWithin('reload: in force after', performance.now() - changedMs, 4000);

    place.put(BROKEN);
    expect(await program.until('configuration refused')).toMatch(/kind/);
    expect(await answerOf(program)).toBe('second');

    place.put(fileOf(third));
    await eventually(async () => (await countOf(program, 'configuration reloaded')) === 2);
    expect(await answerOf(program)).toBe('third');

    expect(calls).toHaveLength(STREAMS);
    for (const call of calls) call.end(ollamaToken('two') + ollamaDone());
    for (const stream of streams) {
      expect(parseStream(await stream.rest())).toMatchObject({ text: 'onetwo', isDone: true });
    }
    expect(await program.metric('ai_gateway_config_reloads_total{result="applied"}')).toBe(2);
    expect(await program.metric('ai_gateway_config_reloads_total{result="refused"}')).toBe(1);
  });

  it('a file that holds a secret changes, and the new key is the one that counts', async () => {
    const backend = await setup.backend(saying('fine'));
    const [before, after] = [
      'the-key-before-has-32-characters-or-more',
      'the-key-after-has-32-characters-or-more',
    ];
    const secret = join(newFolder(), 'key');
    writeFileSync(secret, before);
    const program = await start({
      OLLAMA_BASE_URL: backend.url,
      AUTH_KEY_FILE: secret,
      HOST: '127.0.0.1',
    });
    const statusWith = async (key: string): Promise<number> => {
      const headers = { ...OWN_CONNECTION.headers, authorization: `Bearer ${key}` };
      return (await program.chat({}, { headers })).status;
    };
    expect([await statusWith(before), await statusWith(after)]).toEqual([200, 401]);
    writeFileSync(secret, after);
    await program.until('configuration reloaded');
    expect([await statusWith(before), await statusWith(after)]).toEqual([401, 200]);
  });

  it.each([
    ['1', 'SIGHUP'],
    ['2', 'SIGHUP'],
    ['2', 'POST /admin/reload'],
  ])('all of %s hear of a change by %s', async (workers, way) => {
    const first = await setup.backend(saying('first'));
    const second = await setup.backend(saying('second'));
    const { path, put } = writtenInPlace(fileOf(first));
    const program = await start({
      GATEWAY_CONFIG: path,
      WATCH_CONFIG: 'false',
      WORKERS: workers,
      ADMIN_KEY,
    });
    if (workers !== '1') await program.listening(Number(workers));
    put(fileOf(second));
    expect(await answerOf(program)).toBe('first');
    if (way === 'SIGHUP') {
      program.process.kill('SIGHUP');
    } else {
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const response = await fetch(`${program.origin}/admin/reload`, { method: 'POST', headers });
      expect(await response.json()).toEqual({ status: 'reloaded', faults: [], needRestart: [] });
    }
    await eventually(async () => (await countOf(program, 'configuration reloaded')) === Number(workers));
    for (let i = 0; i < 10; i++) expect(await answerOf(program)).toBe('second');
  });
});

describe('POST /admin/reload', () => {
  it('tells what is wrong with a configuration, and the one before stays', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: fileOf(backend), env: { ADMIN_KEY } });
    gateway.rewrite(BROKEN);
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const response = await fetch(`${gateway.url}/admin/reload`, { method: 'POST', headers });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({
      status: 'refused',
      faults: [{ message: expect.stringContaining('backends[0].kind') }],
    });
    expect((await gateway.chat()).status).toBe(200);
  });

  it('names what holds after a restart only', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: fileOf(backend) });
    gateway.rewrite(
      fileOf(
        backend,
        'server: { maxConnections: 7 }\nlog: { level: warn }\ntracing: { resource: { team: a } }',
      ),
    );
    expect(await gateway.reload()).toMatchObject({
      isApplied: true,
      needRestart: ['server.maxConnections', 'log.level', 'tracing.resource'],
    });
    expect(await gateway.reload()).toMatchObject({ needRestart: [] });
  });

  it('is for the operator only', async () => {
    const backend = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: fileOf(backend), env: { ADMIN_KEY } });
    const response = await fetch(`${gateway.url}/admin/reload`, { method: 'POST' });
    expect(response.status).toBe(401);
    const without = await setup.gateway({ file: fileOf(backend) });
    expect((await fetch(`${without.url}/admin/reload`, { method: 'POST' })).status).toBe(404);
  });
});

describe('a request', () => {
  it('that waits for a backend which is taken away is told so, and one that is served there goes on', async () => {
    const calls: ScriptedCall[] = [];
    const first = await setup.backend((call) => void calls.push(call));
    const second = await setup.backend(saying('second'));
    const gateway = await setup.gateway({ file: fileOf(first, 'limits: { maxConcurrency: 1 }') });
    const answers = [gateway.chat(), gateway.chat()];
    await eventually(() => gateway.active() === 2 && calls.length === 1);
    gateway.rewrite(`backends: [{ name: other, kind: ollama, url: "${second.url}" }]`);
    expect(await gateway.reload()).toMatchObject({ isApplied: true });
    expect((await Promise.race(answers)).status).toBe(503);
    for (const call of calls) await saying('first')(call);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 503]);
    expect(await (await gateway.chat()).text()).toContain('second');
  });

  it('lives by the limits with which it began', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const file = fileOf(backend, 'limits: { timeouts: { firstTokenMs: 1000 } }');
    const gateway = await setup.gateway({ file, isClockStopped: true });
    const before = gateway.chat();
    await eventually(() => calls.length === 1);
    gateway.rewrite(file.replace('1000', '5000'));
    await gateway.reload();
    const after = gateway.chat();
    await eventually(() => calls.length === 2);
    gateway.advance(1000);
    expect((await before).status).toBe(504);
    expect(gateway.active()).toBe(1);
    gateway.advance(4000);
    expect((await after).status).toBe(504);
  });
});
