/** Files of certificates and keys → what connections are encrypted with, or every fault with its file. */

import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../../src/config/fault.ts';
import { loadConfig, type Config } from '../../src/config/load.ts';
import { hashKey } from '../../src/node/hash-key.ts';
import { tlsChecks } from '../../src/node/tls.ts';
import { createAuthority, encryptKey } from '../support/certificate-authority.ts';

const authority = createAuthority();
const { cert, key } = authority.issue({ names: ['localhost'] });
const weak = authority.issue({ names: ['localhost'], isWeak: true });
const PASSPHRASE = 'open sesame';

const FILES: Readonly<Record<string, string>> = {
  'server.pem': cert,
  'server.key': key,
  'locked.key': encryptKey({ cert, key }, PASSPHRASE),
  'other.key': authority.issue({ names: ['localhost'] }).key,
  'weak.pem': weak.cert,
  'weak.key': weak.key,
  'authority.pem': authority.cert,
  'chain.pem': `Subject: CN=localhost\n${cert}\n# its authority\n${authority.cert}`,
  'cut.pem': cert + authority.cert.slice(0, 200),
  'text.pem': 'nothing of the kind',
};

function load(file: string, env: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({
    hashKey,
    tlsChecks,
    env,
    exists: () => true,
    readFile: (path) => {
      const text = path === 'gateway.yaml' ? file : FILES[path];
      if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
      return text;
    },
  });
}

function faultsOf(file: string, env: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    load(file, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ where, message }) => `${where} ${message}`);
    throw error;
  }
  return [];
}

const serverWith = (settings: string): string => `server: { tls: { ${settings} } }`;
const backendWith = (settings: string, url = 'https://b'): string =>
  `backends: [{ name: b, kind: vllm, url: '${url}', tls: { ${settings} } }]`;

describe('the port', () => {
  it('is not encrypted unless a certificate is named', () => {
    expect(load('').server.tls).toBeUndefined();
    expect(load('server: { tls: {} }').server.tls).toBeUndefined();
  });

  it('has the texts of the files that the environment names', () => {
    const env = {
      TLS_CERT_FILE: 'chain.pem',
      TLS_KEY_FILE: 'locked.key',
      TLS_KEY_PASSPHRASE: PASSPHRASE,
      TLS_CLIENT_CA_FILE: 'authority.pem',
    };
    expect(load('', env).server.tls).toEqual({
      cert: FILES['chain.pem'],
      key: FILES['locked.key'],
      passphrase: PASSPHRASE,
      clientCa: authority.cert,
    });
  });
});

describe('a backend', () => {
  it('is trusted as the machine says unless it has something of its own', () => {
    expect(load(backendWith('')).backends[0]?.tls).toBeUndefined();
  });

  it('has the texts of its files', () => {
    const file = backendWith(
      'caFile: authority.pem, certFile: server.pem, keyFile: server.key, serverName: gpu.internal',
    );
    expect(load(file).backends[0]?.tls).toEqual({
      ca: authority.cert,
      identity: { cert, key, passphrase: undefined },
      serverName: 'gpu.internal',
    });
  });
});

describe('the start is refused', () => {
  it.each([
    [
      'a file that is not there',
      'certFile: none.pem, keyFile: server.key',
      "certFile: cannot read the file 'none.pem' (ENOENT).",
    ],
    [
      'a file without a certificate',
      'certFile: text.pem, keyFile: server.key',
      "certFile: the file 'text.pem' holds no certificate in PEM.",
    ],
    [
      'a key in the place of a certificate',
      'certFile: server.key, keyFile: server.key',
      "certFile: the file 'server.key' holds no certificate in PEM.",
    ],
    [
      'a chain that was cut',
      'certFile: cut.pem, keyFile: server.key',
      "certFile: the file 'cut.pem' holds a certificate that cannot be read.",
    ],
    [
      'a file without a key',
      'certFile: server.pem, keyFile: text.pem',
      "keyFile: the file 'text.pem' holds no private key in PEM.",
    ],
    [
      "another certificate's key",
      'certFile: server.pem, keyFile: other.key',
      "keyFile: the file 'other.key' is not the key of the certificate.",
    ],
    [
      'a key that is too weak',
      'certFile: weak.pem, keyFile: weak.key',
      "keyFile: the file 'weak.key' cannot be used with its certificate: the key or the signature is too weak.",
    ],
    [
      'a key that is encrypted',
      'certFile: server.pem, keyFile: locked.key',
      "keyFile: the file 'locked.key' is encrypted: give keyPassphrase beside it, or the key without a passphrase.",
    ],
    [
      'a key with another passphrase',
      'certFile: server.pem, keyFile: locked.key, keyPassphrase: guessed',
      "keyFile: the file 'locked.key' is encrypted, and keyPassphrase does not open it.",
    ],
    ['a certificate alone', 'certFile: server.pem', 'certFile: needs keyFile beside it.'],
    ['a key alone', 'keyFile: server.key', 'keyFile: needs certFile beside it.'],
  ])('with %s, for the port as for a backend', (_, settings, complaint) => {
    expect(faultsOf(serverWith(settings))).toEqual([
      expect.stringMatching(new RegExp(`^gateway\\.yaml:1:\\d+ server\\.tls\\.${literal(complaint)}$`)),
    ]);
    expect(faultsOf(backendWith(settings))).toEqual([
      expect.stringMatching(
        new RegExp(`^gateway\\.yaml:1:\\d+ backends\\[0\\]\\.tls\\.${literal(complaint)}$`),
      ),
    ]);
  });

  it('with authorities of clients and no certificate of its own', () => {
    expect(faultsOf('', { TLS_CLIENT_CA_FILE: 'authority.pem' })).toEqual([
      'environment TLS_CLIENT_CA_FILE server.tls.clientCaFile: needs certFile and keyFile beside it.',
    ]);
  });

  it.each([
    [
      'a url that is not encrypted',
      'caFile: authority.pem',
      'http://b',
      'needs a url that begins with https://.',
    ],
    ['an address for a name', "serverName: '10.0.0.1'", 'https://b', 'not allowed here'],
  ])('with %s for a backend', (_, settings, url, complaint) => {
    expect(faultsOf(backendWith(settings, url))).toEqual([expect.stringContaining(complaint)]);
  });

  it('and says all at once, but nothing of a key or of what opens it', () => {
    const faults = faultsOf(serverWith('certFile: none.pem, keyFile: locked.key, keyPassphrase: guessed'));
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toMatch(/guessed|BEGIN/);
  });
});

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
