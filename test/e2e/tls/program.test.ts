/** The built program with certificates: its screen, its log, and files that change under it. */

import { mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { createAuthority, type Identity } from '../../support/certificate-authority.ts';
import { buildProgram, runProgram, type Program } from '../../support/program.ts';
import { saying } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { isShown, openaiAt, streamedTo } from './https-client.ts';

const setup = createSetup();
const authority = createAuthority();
const NAMES = ['localhost', '127.0.0.1'];
const first = authority.issue({ names: NAMES });
const second = authority.issue({ names: NAMES });
const TLS = { TLS_CERT_FILE: 'server.pem', TLS_KEY_FILE: 'server.key' };

const running: Program[] = [];
let folder: string;

beforeAll(buildProgram, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-'));
});
afterEach(async () => {
  for (const program of running.splice(0)) {
    program.process.kill('SIGKILL');
    await program.ended;
  }
});

function write({ cert, key }: Identity): void {
  writeFileSync(join(folder, 'server.pem'), cert);
  writeFileSync(join(folder, 'server.key'), key);
}

function run(env: Readonly<Record<string, string>>, url: string): Program {
  const program = runProgram({ OLLAMA_BASE_URL: url, ...TLS, ...env }, folder);
  running.push(program);
  return program;
}

it.each([
  ['one process', {}],
  ['two workers', { WORKERS: '2' }],
])('takes over new files by itself, with %s, and keeps the old when they are broken', async (_, env) => {
  write(first);
  const backend = await setup.backend(saying('Hello'));
  const program = run(env, backend.url);
  const screen = await program.until("}'");
  const port = Number(/Base URL +https:\/\/localhost:(\d+)\/v1/.exec(screen)?.[1]);
  expect(screen).toContain(`curl -N https://localhost:${String(port)}/v1/chat/completions`);
  expect(await isShown(port, authority.cert, first)).toBe(true);
  write(second);
  const all = async (identity: Identity): Promise<boolean> => {
    for (let i = 0; i < 6; i++) if (!(await isShown(port, authority.cert, identity))) return false;
    return true;
  };
  await eventually(() => all(second));
  writeFileSync(join(folder, 'server.pem'), 'broken');
  await program.until("server.tls.certFile: the file 'server.pem' holds no certificate");
  expect(await all(second)).toBe(true);
  write(first);
  await eventually(() => all(first));
});

it('takes over a pair that Kubernetes puts in the place of another, and the two never mixed', async () => {
  const mount = mkdtempSync(join(tmpdir(), 'tls-'));
  // As the kubelet does: the files are links through ..data, which is pointed elsewhere in one step.
  const place = (version: string, { cert, key }: Identity): void => {
    mkdirSync(join(mount, version));
    writeFileSync(join(mount, version, 'tls.crt'), cert);
    writeFileSync(join(mount, version, 'tls.key'), key);
    symlinkSync(version, join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  place('..1', first);
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(mount, name));
  const backend = await setup.backend(saying('Hello'));
  const files = { TLS_CERT_FILE: join(mount, 'tls.crt'), TLS_KEY_FILE: join(mount, 'tls.key') };
  const program = run({ ...files, LOG_FORMAT: 'json' }, backend.url);
  const port = Number(/"port":(\d+)/.exec(await program.until('"listening"'))?.[1]);
  expect(await isShown(port, authority.cert, first)).toBe(true);
  place('..2', second);
  await eventually(() => isShown(port, authority.cert, second));
  expect(await program.until('configuration reloaded')).not.toContain('refused');
});

it.each([
  ['one process', {}],
  ['two workers', { WORKERS: '2' }],
])('lets in clients with a certificate only, with %s, and shows how to call it', async (_, env) => {
  write(first);
  writeFileSync(join(folder, 'clients.pem'), authority.cert);
  const backend = await setup.backend(saying('Hello'));
  const screen = await run({ TLS_CLIENT_CA_FILE: 'clients.pem', ...env }, backend.url).until("}'");
  const [, url = ''] = /curl -N (https:\S+)\/v1\S+ --cert client\.pem --key client\.key /.exec(screen) ?? [];
  const identity = authority.issue({ names: ['client'] });
  // A connection for each, so that every worker is asked.
  for (let i = 0; i < 4; i++) {
    expect(await streamedTo(openaiAt(url, { ca: authority.cert, identity }))).toBe('Hello');
    const stranger = streamedTo(openaiAt(url, { ca: authority.cert }));
    await expect(stranger).rejects.toThrow(OpenAI.APIConnectionError);
  }
});

it('does not start without its certificate', async () => {
  const backend = await setup.backend(saying('Hello'));
  const { code, stderr } = await run({ TLS_CERT_FILE: 'none.pem' }, backend.url).ended;
  expect([code, stderr]).toEqual([78, expect.stringContaining("cannot read the file 'none.pem' (ENOENT)")]);
});

it('tells the log of a certificate that is over, or soon will be', async () => {
  write(authority.issue({ names: NAMES, expires: new Date(Date.now() - 1000) }));
  const backend = await setup.backend(saying('Hello'));
  const program = run({ LOG_FORMAT: 'json' }, backend.url);
  await program.until('the certificate has expired');
  write(second);
  await program.until('the certificate expires soon');
});
