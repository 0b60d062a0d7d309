/** Certificates that are replaced while the gateway runs. */

import { request } from 'node:https';
import { connect } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { createAuthority, type Identity } from '../../support/certificate-authority.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { openaiChunk, saying, sse, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { isShown, openaiAt, streamedTo } from './https-client.ts';

const setup = createSetup();
const authority = createAuthority();
const NAMES = ['localhost', '127.0.0.1'];
const first = authority.issue({ names: NAMES });
const second = authority.issue({ names: NAMES });
const TLS = { TLS_CERT_FILE: 'server.pem', TLS_KEY_FILE: 'server.key' };

async function start(more: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  const backend = await setup.backend(saying('x'));
  return setup.gateway({
    env: { VLLM_BASE_URL: backend.url, ...TLS, ...more },
    files: { 'server.pem': first.cert, 'server.key': first.key, 'clients.pem': authority.cert },
  });
}

function rewrite(gateway: TestGateway, { cert, key }: Identity): void {
  gateway.rewrite(cert, 'server.pem');
  gateway.rewrite(key, 'server.key');
}

const isShownBy = ({ port }: TestGateway, identity: Identity): Promise<boolean> =>
  isShown(port, authority.cert, identity);

describe('a new certificate', () => {
  it('is shown to who connects after it was loaded, and cuts nobody', async () => {
    let call: ScriptedCall | undefined;
    const backend = await setup.backend(async (given) => {
      call = given;
      given.res.setHeader('content-type', 'text/event-stream');
      await given.write(openaiChunk({ content: 'one' }));
    });
    const gateway = await start({ VLLM_BASE_URL: backend.url });
    const stream = streamedTo(openaiAt(gateway.url, { ca: authority.cert }));
    await eventually(() => gateway.active() === 1 && call !== undefined);
    rewrite(gateway, second);
    expect(await gateway.reload()).toMatchObject({ isApplied: true, needRestart: [] });
    expect(await isShownBy(gateway, second)).toBe(true);
    await call?.write(openaiChunk({ content: 'two' }));
    call?.end(openaiChunk({}, 'stop') + sse('[DONE]'));
    expect(await stream).toBe('onetwo');
  });

  it.each([
    ['is none', { cert: 'nothing', key: second.key }, 'server.tls.certFile'],
    ['is cut short', { cert: second.cert.slice(0, 200), key: second.key }, 'server.tls.certFile'],
    [
      'has a damaged authority behind it',
      { cert: second.cert + second.cert.slice(0, 90), key: second.key },
      'certFile',
    ],
    ['has no key', { cert: second.cert, key: '' }, 'server.tls.keyFile'],
    ["has another one's key", { cert: second.cert, key: first.key }, 'is not the key of the certificate'],
  ])('that %s is refused, and the one before stays', async (_, broken, complaint) => {
    const gateway = await start();
    rewrite(gateway, broken);
    const { isApplied, faults } = await gateway.reload();
    expect([isApplied, JSON.stringify(faults)]).toEqual([false, expect.stringContaining(complaint)]);
    expect(gateway.logs.some(({ message }) => message.startsWith('configuration refused'))).toBe(true);
    expect(await isShownBy(gateway, first)).toBe(true);
    rewrite(gateway, second);
    expect((await gateway.reload()).isApplied).toBe(true);
    expect(await isShownBy(gateway, second)).toBe(true);
  });
});

describe('whether clients need a certificate', () => {
  const isRefused = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const options = { port, path: '/health', ca: authority.cert, agent: false };
      request(options, () => resolve(false))
        .on('error', () => resolve(true))
        .end();
    });

  it('does not change at a reload: they do, whatever the new configuration says', async () => {
    const gateway = await setup.gateway({
      env: { VLLM_BASE_URL: (await setup.backend(saying('x'))).url, ...TLS },
      file: 'server: { tls: { clientCaFile: clients.pem } }',
      files: { 'server.pem': first.cert, 'server.key': first.key, 'clients.pem': authority.cert },
    });
    expect(await isRefused(gateway.port)).toBe(true);
    gateway.rewrite('');
    expect(await gateway.reload()).toMatchObject({ isApplied: true, needRestart: ['server.tls'] });
    expect(await isRefused(gateway.port)).toBe(true);
    // By the authorities of before, and not by those of the machine.
    const identity = authority.issue({ names: ['client'] });
    expect(await streamedTo(openaiAt(gateway.url, { ca: authority.cert, identity }))).toBe('x');
  });
});

describe('authorities of clients', () => {
  const stranger = createAuthority('an authority of somebody else');
  const client = authority.issue({ names: ['client'] });

  interface Visit {
    readonly answer: string;
    readonly isReused: boolean;
    readonly session: Buffer | undefined;
  }

  /** What a client gets of one request, '' when it is refused, and its session for the next one. */
  function visit(port: number, session?: Buffer): Promise<Visit> {
    return new Promise((resolve) => {
      let answer = '';
      let latest: Buffer | undefined;
      let isReused = false;
      const options = { host: '127.0.0.1', port, ca: authority.cert, ...client, session };
      const socket = connect({ ...options, maxVersion: 'TLSv1.2' }, () => {
        latest = socket.getSession();
        isReused = socket.isSessionReused();
        socket.write('GET /health HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n');
      });
      socket.setEncoding('utf8').on('data', (text) => (answer += String(text)));
      socket.on('error', () => undefined).on('close', () => resolve({ answer, isReused, session: latest }));
    });
  }

  it('that are replaced let in nobody of before, with an old session neither', async () => {
    const gateway = await start({ TLS_CLIENT_CA_FILE: 'clients.pem' });
    const { answer, session } = await visit(gateway.port);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    expect((await visit(gateway.port, session)).isReused).toBe(true);
    gateway.rewrite(stranger.cert, 'clients.pem');
    expect(await gateway.reload()).toMatchObject({ isApplied: true, needRestart: [] });
    expect((await visit(gateway.port, session)).answer).toBe('');
    gateway.rewrite(stranger.cert + authority.cert, 'clients.pem');
    await gateway.reload();
    expect((await visit(gateway.port, session)).answer).toMatch(/^HTTP\/1\.1 200/);
  });
});
