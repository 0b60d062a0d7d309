/** Connections of clients that are encrypted: what is said over them, and whose they may be. */

import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { Agent, fetch as undiciFetch } from 'undici';
import { createAuthority, encryptKey, type Identity } from '../../support/certificate-authority.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { openaiChunk, saying, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openaiAt, streamedTo } from './https-client.ts';

const setup = createSetup();
const authority = createAuthority();
const server = authority.issue({ names: ['localhost', '127.0.0.1'] });

const PASSPHRASE = 'open sesame';
const FILES = { 'server.pem': server.cert, 'server.key': server.key, 'clients.pem': authority.cert };
const TLS = { TLS_CERT_FILE: 'server.pem', TLS_KEY_FILE: 'server.key' };
const MUTUAL = { ...TLS, TLS_CLIENT_CA_FILE: 'clients.pem' };

interface Started {
  readonly gateway: TestGateway;
  readonly backend: ScriptedBackend;
}

async function start(env: Readonly<Record<string, string>> = TLS, words = ['Hel', 'lo']): Promise<Started> {
  const backend = await setup.backend(saying(...words));
  return {
    backend,
    gateway: await setup.gateway({ env: { VLLM_BASE_URL: backend.url, ...env }, files: FILES }),
  };
}

function clientOf({ url }: TestGateway, identity?: Partial<Identity>): OpenAI {
  return openaiAt(url, { ca: authority.cert, identity });
}

/** Resolves when hands were shaken; rejects with what the server says instead. */
function shakeHands({ port }: TestGateway, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, ...options }, () =>
      resolve(socket),
    );
    socket.on('error', reject);
  });
}

/** All that comes for one request: in TLS 1.3 a client hears of its refusal only after it has shaken hands. */
async function ask(gateway: TestGateway, options: ConnectionOptions = {}): Promise<string> {
  const socket = await shakeHands(gateway, options);
  return new Promise((resolve, reject) => {
    let received = '';
    socket.setEncoding('utf8').on('data', (text) => (received += String(text)));
    socket.on('error', reject).on('close', () => resolve(received));
    socket.write('GET /v1/models HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n');
  });
}

describe('a client of a gateway with a certificate', () => {
  it('gets streams and answers in one piece, whole', async () => {
    const words = Array.from({ length: 400 }, (_, i) => `${String(i)}:${'é"\\\n'.repeat(700)}`);
    const { gateway } = await start(TLS, words);
    const client = clientOf(gateway);
    expect(await streamedTo(client)).toBe(words.join(''));
    const { choices } = await client.chat.completions.create({
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(choices[0]?.message.content).toBe(words.join(''));
  });

  it('that leaves in the middle of a stream is noticed', async () => {
    const { gateway, backend } = await start();
    backend.script(async ({ res, write }) => {
      res.setHeader('content-type', 'text/event-stream');
      await write('data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n');
    });
    const stream = await clientOf(gateway).chat.completions.create({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'x') break;
    await backend.calls[0]?.closed;
    await eventually(() => gateway.active() === 0);
  });

  it('that does not read stops its backend', async () => {
    const { gateway, backend } = await start();
    const event = openaiChunk({ content: 'x'.repeat(1000) }).repeat(16);
    let sent = 0;
    backend.script(async ({ write, res }) => {
      res.setHeader('content-type', 'text/event-stream');
      while (!res.destroyed && sent < 200_000_000) {
        await write(event);
        sent += event.length;
      }
    });
    const socket = await shakeHands(gateway);
    const body = '{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}';
    socket
      .pause()
      .write(
        'POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n' +
          `Content-Length: ${String(body.length)}\r\n\r\n${body}`,
      );
    let before = -1;
    await eventually(async () => {
      const hasStopped = sent === before && sent > 0;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return hasStopped;
    });
    expect(sent).toBeLessThan(64_000_000);
    socket.destroy();
    await eventually(() => gateway.active() === 0);
  });

  it('speaks HTTP/1.1 over TLS 1.2 or newer', async () => {
    const { gateway } = await start();
    const socket = await shakeHands(gateway, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect([socket.alpnProtocol, socket.getProtocol()]).toEqual(['http/1.1', 'TLSv1.3']);
    socket.destroy();
    expect(await ask(gateway, { maxVersion: 'TLSv1.2' })).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const old: ConnectionOptions = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    };
    await expect(shakeHands(gateway, old)).rejects.toThrow(/version/);
  });

  it('hears nothing when it does not encrypt, or what it sends is no handshake', async () => {
    const { gateway } = await start();
    for (const bytes of [
      'GET /health HTTP/1.1\r\nHost: a\r\n\r\n',
      '\x16\x03\x01\x00\x05junk!',
      '\0'.repeat(100),
    ]) {
      const socket = connectTcp(gateway.port, '127.0.0.1').setEncoding('latin1');
      let received = '';
      socket.on('data', (text) => (received += String(text)));
      socket.write(bytes, 'latin1');
      await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
      expect(received).not.toContain('HTTP');
    }
    expect(await ask(gateway)).toMatch(/^HTTP\/1\.1 200/);
  });

  it('that does not shake hands in time is let go', async () => {
    const { gateway } = await start({ ...TLS, HEADERS_TIMEOUT_MS: '100' });
    const socket = connectTcp(gateway.port, '127.0.0.1');
    await new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
  });
});

describe('a gateway that asks for certificates', () => {
  const stranger = createAuthority('an authority of somebody else');
  const STRANGERS: readonly (readonly [string, Partial<Identity>, string])[] = [
    ['no certificate', {}, 'it has none'],
    ['one by another authority', stranger.issue({ names: ['client'] }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [
      'one by another authority of the same name',
      createAuthority().issue({ names: ['client'] }),
      'CERT_SIGNATURE_FAILURE',
    ],
    [
      'one that has expired',
      authority.issue({ names: ['client'], expires: new Date(Date.now() - 1000) }),
      'CERT_HAS_EXPIRED',
    ],
  ];

  it.each(STRANGERS)('refuses a client with %s, and says so in the log', async (_, identity, reason) => {
    const { gateway, backend } = await start(MUTUAL);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await ask(gateway, { ...identity, maxVersion }).catch(() => '')).toBe('');
    }
    await expect(streamedTo(clientOf(gateway, identity))).rejects.toThrow(OpenAI.APIConnectionError);
    expect(gateway.logs.filter(({ message }) => message === 'request')).toEqual([]);
    const told = gateway.logs.filter(({ message }) => message === 'a client was refused for its certificate');
    expect(new Set(told.map(({ fields }) => fields.reason))).toEqual(new Set([reason]));
    expect(backend.calls).toEqual([]);
  });

  it('lets in who has one, and asks for a key all the same', async () => {
    const { gateway } = await start({ ...MUTUAL, AUTH_KEY: 'k'.repeat(32) });
    const client = clientOf(gateway, authority.issue({ names: ['client'] }));
    await expect(streamedTo(client)).rejects.toThrow(OpenAI.AuthenticationError);
    expect(await streamedTo(client.withOptions({ apiKey: 'k'.repeat(32) }))).toBe('Hello');
  });

  it('asks nobody for one on the port of the operator, which probes can reach, and tells no secret there', async () => {
    const key = 'k'.repeat(32);
    const backend = await setup.backend(saying('x'));
    const { adminUrl } = await setup.gateway({
      env: {
        ...MUTUAL,
        VLLM_BASE_URL: backend.url,
        ADMIN_PORT: '0',
        ADMIN_KEY: key,
        TLS_KEY_PASSPHRASE: PASSPHRASE,
      },
      files: { ...FILES, 'server.key': encryptKey(server, PASSPHRASE) },
    });
    const dispatcher = new Agent({ connect: { ca: authority.cert } });
    expect(adminUrl).toMatch(/^https:/);
    expect((await undiciFetch(`${adminUrl}/readyz`, { dispatcher })).status).toBe(200);
    const headers = { authorization: `Bearer ${key}` };
    const shown = await (await undiciFetch(`${adminUrl}/admin/config`, { dispatcher, headers })).text();
    expect(shown).toContain('server.key');
    expect(shown).not.toMatch(new RegExp(`${PASSPHRASE}|PRIVATE KEY`));
  });
});
