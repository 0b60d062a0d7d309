/** Connections to backends that are encrypted: whom the gateway trusts, and who it says it is. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { createAuthority, encryptKey } from '../../support/certificate-authority.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { buildProgram, runProgram, type Program } from '../../support/program.ts';
import {
  openaiChunk,
  saying,
  sse,
  type ScriptedBackend,
  type ScriptedCall,
} from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';

const setup = createSetup();
const authority = createAuthority();
const other = createAuthority('an authority of somebody else');
const server = authority.issue({ names: ['localhost'] });
const gatewaysOwn = authority.issue({ names: ['gateway'] });
const PASSPHRASE = 'open sesame';

const FILES = {
  'authority.pem': authority.cert,
  'other.pem': other.cert,
  'gateway.pem': gatewaysOwn.cert,
  'gateway.key': gatewaysOwn.key,
  'locked.key': encryptKey(gatewaysOwn, PASSPHRASE),
};
/** Backends that want to see a certificate. */
const MUTUAL: ServerOptions = { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
const TRUSTING = { caFile: 'authority.pem' };

interface Started {
  readonly gateway: TestGateway;
  readonly backend: ScriptedBackend;
}

function fileOf({ url }: ScriptedBackend, tls: object, kind: string): string {
  return JSON.stringify({ backends: [{ name: 'b', kind, url, tls }] });
}

async function start(
  tls: object,
  { theirs = server, kind = 'vllm' }: { theirs?: ServerOptions; kind?: string } = {},
): Promise<Started> {
  const backend = await setup.backend(saying('Hel', 'lo'), { tls: theirs });
  return { backend, gateway: await setup.gateway({ file: fileOf(backend, tls, kind), files: FILES }) };
}

async function streamedFrom({ url }: TestGateway): Promise<string> {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'x', maxRetries: 0 });
  const stream = await client.chat.completions.create({
    model: 'm',
    stream: true,
    messages: [{ role: 'user', content: 'hi' }],
  });
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  return text;
}

async function listedBy({ url }: TestGateway): Promise<string[]> {
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  return data.map(({ id }) => id);
}

/** A request that is passed on raw, whose connections are others. */
async function rawStatus({ url }: TestGateway): Promise<number> {
  const body = JSON.stringify({ model: 'm', input: 'x' });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/moderations`, { method: 'POST', headers, body });
  await response.text();
  return response.status;
}

/** By probes, for answers and for what is passed on raw. */
async function expectReached({ gateway, backend }: Started): Promise<void> {
  expect(await listedBy(gateway)).toEqual(['m']);
  expect(await streamedFrom(gateway)).toBe('Hello');
  backend.script(({ end }) => end('{}'));
  expect(await rawStatus(gateway)).toBe(200);
  expect(backend.calls.map(({ path }) => path)).toEqual(['/v1/chat/completions', '/v1/moderations']);
}

async function expectRefused({ gateway, backend }: Started): Promise<void> {
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
  expect(await listedBy(gateway)).toEqual([]);
  await expect(streamedFrom(gateway)).rejects.toThrow(OpenAI.InternalServerError);
  expect(await rawStatus(gateway)).toBeGreaterThanOrEqual(502);
  expect(backend.calls).toEqual([]);
}

describe('a backend behind https', () => {
  it('is reached by every way when its certificate is by the authority that is named', async () => {
    await expectReached(await start(TRUSTING));
  });

  it.each(['ollama', 'vllm'])('of kind %s is probed and streams', async (kind) => {
    const { gateway } = await start(TRUSTING, { kind });
    expect(await listedBy(gateway)).toEqual(['m']);
    expect(await streamedFrom(gateway)).toBe('Hello');
  });

  it.each([
    ['by an authority that nobody named', {}, server],
    ['by another authority than the one that is named', { caFile: 'other.pem' }, server],
    ['of another name', TRUSTING, authority.issue({ names: ['elsewhere.internal'] })],
    [
      'that has expired',
      TRUSTING,
      authority.issue({ names: ['localhost'], expires: new Date(Date.now() - 1000) }),
    ],
    ['of TLS 1.1 at most', TRUSTING, { ...server, maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
  ] as const)('with a certificate %s gets nothing', async (_, tls, theirs) => {
    await expectRefused(await start(tls, { theirs: { minVersion: 'TLSv1', ...theirs } }));
  });

  it('may have a certificate of another name, when that is the one that is expected', async () => {
    const asked: string[] = [];
    const theirs: ServerOptions = {
      ...authority.issue({ names: ['gpu.internal'] }),
      SNICallback(name, done) {
        asked.push(name);
        done(null);
      },
    };
    await expectReached(await start({ ...TRUSTING, serverName: 'gpu.internal' }, { theirs }));
    expect(new Set(asked)).toEqual(new Set(['gpu.internal']));
  });
});

describe('a backend that asks for a certificate', () => {
  it('gets nothing when there is none to show', async () => {
    await expectRefused(await start(TRUSTING, { theirs: MUTUAL }));
  });

  it.each([
    ['a key', { keyFile: 'gateway.key' }],
    ['a key with a passphrase', { keyFile: 'locked.key', keyPassphrase: PASSPHRASE }],
  ])('is shown that of the gateway, by every way, with %s', async (_, key) => {
    const started = await start({ ...TRUSTING, certFile: 'gateway.pem', ...key }, { theirs: MUTUAL });
    await expectReached(started);
    for (const { socket } of started.backend.calls) {
      expect((socket as TLSSocket).getPeerX509Certificate()?.subject).toBe('CN=gateway');
    }
  });
});

describe('files of a backend that are replaced', () => {
  it('count for what begins after the reload, and cut no stream', async () => {
    let call: ScriptedCall | undefined;
    const started = await start(TRUSTING);
    const { gateway, backend } = started;
    backend.script(async (given) => {
      call = given;
      given.res.setHeader('content-type', 'text/event-stream');
      await given.write(openaiChunk({ content: 'one' }));
    });
    const text = streamedFrom(gateway);
    await eventually(() => call !== undefined && gateway.active() === 1);
    gateway.rewrite(other.cert, 'authority.pem');
    expect(await gateway.reload()).toMatchObject({ isApplied: true, needRestart: [] });
    await expect(streamedFrom(gateway)).rejects.toThrow(OpenAI.InternalServerError);
    await call?.write(openaiChunk({ content: 'two' }));
    call?.end(openaiChunk({}, 'stop') + sse('[DONE]'));
    expect(await text).toBe('onetwo');
    expect(backend.calls).toHaveLength(1);

    gateway.rewrite('broken', 'authority.pem');
    const { isApplied, faults } = await gateway.reload();
    expect([isApplied, faults[0]?.message]).toEqual([
      false,
      "backends[0].tls.caFile: the file 'authority.pem' holds no certificate in PEM.",
    ]);

    gateway.rewrite(authority.cert, 'authority.pem');
    expect((await gateway.reload()).isApplied).toBe(true);
    backend.script(saying('Hello'));
    expect(await streamedFrom(gateway)).toBe('Hello');
  });
});

describe('the program', () => {
  let program: Program | undefined;

  beforeAll(buildProgram, 60_000);
  afterEach(async () => {
    program?.process.kill('SIGKILL');
    await program?.ended;
  });

  it.each([
    ['one process', {}],
    ['two workers', { WORKERS: '2' }],
  ])('trusts nobody because Node is told to, and whom a new file names, with %s', async (_, env) => {
    const folder = mkdtempSync(join(tmpdir(), 'tls-'));
    const backend = await setup.backend(saying('Hello'), { tls: server });
    writeFileSync(join(folder, 'authority.pem'), other.cert);
    writeFileSync(join(folder, 'gateway.yaml'), fileOf(backend, TRUSTING, 'vllm'));
    program = runProgram({ NODE_TLS_REJECT_UNAUTHORIZED: '0', ...env }, folder);
    const [, url = ''] = /Base URL +(http:\S+)\/v1/.exec(await program.until('API key')) ?? [];
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    writeFileSync(join(folder, 'authority.pem'), authority.cert);
    const isReady = async (): Promise<boolean> => {
      // A connection for each, so that every worker is asked.
      const answers = Array.from({ length: 6 }, () =>
        fetch(`${url}/readyz`, { headers: { connection: 'close' } }),
      );
      return (await Promise.all(answers)).every(({ ok }) => ok);
    };
    await eventually(isReady);
    expect(await streamedFrom({ url } as TestGateway)).toBe('Hello');
  });
});
