/** Certificates and keys as Node wants them, and what is wrong with those that it cannot use. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import type { BackendTls, Identity, ServerTls, TlsChecks } from '../core/tls.ts';

/** RFC 8996: what is older is not to be used. Said, so that no flag of Node's lowers it. */
const MIN_VERSION: SecureContextOptions = { minVersion: 'TLSv1.2' };

/** Of a backend of which nothing else is said. */
export const MACHINES_OWN: BackendTls = { ca: undefined, identity: undefined };

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;

export const tlsChecks: TlsChecks = {
  certificates(pem) {
    const starts = Array.from(pem.matchAll(CERTIFICATE), ({ index }) => index);
    if (starts.length === 0) return 'holds no certificate in PEM.';
    return starts.every((start) => succeeds(() => new X509Certificate(pem.slice(start))))
      ? undefined
      : 'holds a certificate that cannot be read.';
  },
  key(pem, passphrase) {
    if (succeeds(() => createPrivateKey({ key: pem, passphrase }))) return undefined;
    if (!pem.includes('ENCRYPTED')) return 'holds no private key in PEM.';
    return passphrase === undefined
      ? 'is encrypted: give keyPassphrase beside it, or the key without a passphrase.'
      : 'is encrypted, and keyPassphrase does not open it.';
  },
  pair(identity) {
    if (!new X509Certificate(identity.cert).checkPrivateKey(createPrivateKey(identity))) {
      return 'is not the key of the certificate.';
    }
    // Too weak ones, above all.
    return succeeds(() => createSecureContext({ ...MIN_VERSION, ...identity }))
      ? undefined
      : 'cannot be used with its certificate: the key or the signature is too weak.';
  },
};

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

/** For connections to a backend. Said, so that no environment variable of Node's turns verification off. */
export function toConnectionOptions({ ca, identity, serverName }: BackendTls): SecureContextOptions & {
  readonly rejectUnauthorized: true;
  readonly servername?: string;
} {
  return {
    ...MIN_VERSION,
    ...(ca !== undefined && { ca }),
    ...identity,
    ...(serverName !== undefined && { servername: serverName }),
    rejectUnauthorized: true,
  };
}

/** What may be replaced while the server runs. */
export function toSecureContext({ clientCa, ...identity }: ServerTls): SecureContextOptions {
  return { ...MIN_VERSION, ...identity, ...(clientCa !== undefined && { ca: clientCa }) };
}

/** `handshakeTimeoutMs`: how long a client may take until it can send anything. */
export function toServerOptions(tls: ServerTls, handshakeTimeoutMs: number): TlsOptions {
  return {
    ...toSecureContext(tls),
    requestCert: tls.clientCa !== undefined,
    rejectUnauthorized: true,
    handshakeTimeout: handshakeTimeoutMs,
    ALPNProtocols: ['http/1.1'],
  };
}

/** Milliseconds since 1970. */
export function expiryOf({ cert }: Identity): number {
  return Date.parse(new X509Certificate(cert).validTo);
}
