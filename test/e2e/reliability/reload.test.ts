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

  it.each(['1', '2'])('one of %s says what is wrong with a change, and without a stack', async (workers) => {
    const backend = await setup.backend(saying('fine'));
    const { path, put } = writtenInPlace(fileOf(backend));
    const program = await start({ GATEWAY_CONFIG: path, WORKERS: workers });
    if (workers !== '1') await program.listening(Number(workers));
    put(BROKEN);
    const refused = 'ai_gateway_config_reloads_total{result="refused"}';
    await eventually(async () => (await program.metric(refused)) === Number(workers));
    const lines = (await program.until('configuration refused')).split('\n');
    const said = lines.filter((line) => line.includes('configuration refused'));
    expect(said).toEqual([expect.stringMatching(/gateway\.yaml:1:29.*backends\[0\]\.kind.*'ollama'/)]);
    expect(said[0]).not.toMatch(/stack|ConfigError|\n/);
    expect(await answerOf(program)).toBe('fine');
  });
});
