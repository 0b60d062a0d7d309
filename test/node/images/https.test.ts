/** Encrypted servers, with a shared key in place of a certificate. */

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { createServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import tls, { type ConnectionOptions } from 'node:tls';
import type { RequestListener } from 'node:http';
import { redirectTarget } from '../../../src/node/images/target.ts';
import {
  byPath,
  imageFetcher,
  PNG,
  PUBLIC,
  redirectTo,
  refusalOf,
  startImageServer,
  unaborted,
} from './image-server.ts';

const KEY = Buffer.alloc(32, 7);
const SHARED = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function startSecureServer(answer: RequestListener): Promise<string> {
  const server = createServer({ ...SHARED, pskCallback: () => KEY }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** The client's side of the shared key. */
function trustSharedKey() {
  const connect = tls.connect as (options: ConnectionOptions) => tls.TLSSocket;
  const trusting = (options: ConnectionOptions): tls.TLSSocket =>
    connect({
      ...options,
      ...SHARED,
      pskCallback: () => ({ psk: KEY, identity: 'test' }),
      checkServerIdentity: () => undefined,
    });
  return jest.spyOn(tls, 'connect').mockImplementation(trusting as typeof tls.connect);
}

describe('https', () => {
  it('is fetched from, and redirects to https are followed', async () => {
    trustSharedKey();
    const host = await startSecureServer(byPath({ '/start': redirectTo('/a.png') }));
    const fetched = imageFetcher({ allowHosts: [host] })(`https://${host}/start`, unaborted());
    await expect(fetched).resolves.toBe(PNG.toString('base64'));
  });

  it('is not left for http by a redirect', async () => {
    trustSharedKey();
    const plain = await startImageServer(byPath({}));
    const host = await startSecureServer(redirectingTo(`${plain.url}/a.png`));
    const fetchImage = imageFetcher({ allowHosts: [host, plain.host] });
    const error = await refusalOf(fetchImage(`https://${host}/start`, unaborted()));
    expect(error.message).toContain('from https to http');
    expect(plain.requests).toHaveLength(0);
  });

  it('is reached from http by a redirect', async () => {
    trustSharedKey();
    const host = await startSecureServer(byPath({}));
    const plain = await startImageServer(redirectingTo(`https://${host}/a.png`));
    const fetchImage = imageFetcher({ allowHosts: [host, plain.host] });
    await expect(fetchImage(plain.url, unaborted())).resolves.toBe(PNG.toString('base64'));
  });

  it('is refused when the certificate does not hold', async () => {
    const host = await startSecureServer(byPath({}));
    const error = await refusalOf(imageFetcher({ allowHosts: [host] })(`https://${host}/`, unaborted()));
    expect(error.message).toContain('cannot be reached');
  });

  it('is closed where http is', async () => {
    const connect = jest.spyOn(tls, 'connect');
    const literal = await refusalOf(imageFetcher()('https://127.0.0.1/', unaborted()));
    expect(literal.message).toContain('not public');
    expect(connect).not.toHaveBeenCalled();

    const host = await startSecureServer(byPath({}));
    const { port } = new URL(`https://${host}`);
    const fetchImage = imageFetcher({
      lookup: () =>
        Promise.resolve([
          { address: PUBLIC, family: 4 },
          { address: '127.0.0.1', family: 4 },
        ]),
    });
    const named = await refusalOf(fetchImage(`https://name.example:${port}/`, unaborted()));
    expect(named.message).toContain('cannot be found or is not public');
  });

  it('ends with the client while it connects', async () => {
    const connect = jest.spyOn(tls, 'connect');
    const client = new AbortController();
    const reason = new Error('gone');
    const fetchImage = imageFetcher({
      lookup: () => {
        setImmediate(() => {
          client.abort(reason);
        });
        return new Promise(() => undefined);
      },
    });
    await expect(fetchImage('https://name.example/', client.signal)).rejects.toBe(reason);
    expect(connect.mock.results[0]?.value).toMatchObject({ destroyed: true });
  });

  it('ends with the client while the server does not shake hands', async () => {
    const client = new AbortController();
    const reason = new Error('gone');
    let onClosed: (() => void) | undefined;
    const closed = new Promise<void>((resolve) => (onClosed = resolve));
    const server = createTcpServer((socket) => {
      socket.on('close', () => onClosed?.()).resume();
      client.abort(reason);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const fetchImage = imageFetcher({ allowHosts: [host] });
    await expect(fetchImage(`https://${host}/`, client.signal)).rejects.toBe(reason);
    await closed;
  });

  it.each([
    ['http://b.example/', 'from https to http'],
    ['HTTP://a.example/', 'from https to http'],
    ['ftp://a.example/', 'must begin with'],
  ])('refuses %s as the next step', (location, message) => {
    expect(() => redirectTarget(new URL('https://a.example/'), location)).toThrow(message);
  });
});

function redirectingTo(location: string): RequestListener {
  return (_req, res) => {
    redirectTo(location)(res);
  };
}
