/**
 * Certificates made in the test: a small writer of X.509 (RFC 5280) in DER, signed with node:crypto. So tests
 * need neither openssl nor a package, and can have every certificate that ought to be refused.
 */

import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM, as servers and clients take it. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Host names and addresses of IPv4. */
  readonly names: readonly string[];
  readonly expires?: Date;
  /** With a key that OpenSSL does not work with any more. */
  readonly isWeak?: boolean;
}

export interface Authority {
  /** What is to be trusted. */
  readonly cert: string;
  /** For servers and clients alike. */
  issue(options: CertificateOptions): Identity;
}

const DAY_MS = 86_400_000;
const TAG = {
  boolean: 1,
  integer: 2,
  bits: 3,
  octets: 4,
  oid: 6,
  text: 12,
  time: 24,
  sequence: 0x30,
  set: 0x31,
};
const ECDSA_WITH_SHA256 = '2a8648ce3d040302';
const COMMON_NAME = '550403';
const BASIC_CONSTRAINTS = '551d13';
const ALTERNATIVE_NAMES = '551d11';
const YES = Buffer.of(TAG.boolean, 1, 0xff);
const NO = Buffer.alloc(0);
const AUTHORITY = extension(BASIC_CONSTRAINTS, YES, sequence(YES));

/** One that is its own authority: it is what a client must trust. */
export function issueSelfSigned({ names, expires = inADay() }: CertificateOptions): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = { subject: names[0] ?? '', publicKey, expires };
  return {
    cert: printCertificate(subject, subject.subject, privateKey, AUTHORITY, alternatives(names)),
    key: printKey(privateKey),
  };
}

export function createAuthority(name = 'an authority of tests'): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = { subject: name, publicKey, expires: inADay() };
  return {
    cert: printCertificate(own, name, privateKey, AUTHORITY),
    issue({ names, expires = own.expires, isWeak = false }) {
      const pair = isWeak
        ? generateKeyPairSync('rsa', { modulusLength: 512 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const subject = { subject: names[0] ?? '', publicKey: pair.publicKey, expires };
      return {
        cert: printCertificate(subject, name, privateKey, alternatives(names)),
        key: printKey(pair.privateKey),
      };
    },
  };
}

/** The same key, to be opened with a passphrase. */
export function encryptKey({ key }: Identity, passphrase: string): string {
  const format = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return createPrivateKey(key).export(format).toString();
}

function printKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function inADay(): Date {
  return new Date(Date.now() + DAY_MS);
}

interface Subject {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly expires: Date;
}

function printCertificate(
  { subject, publicKey, expires }: Subject,
  issuer: string,
  issuerKey: KeyObject,
  ...extensions: readonly Buffer[]
): string {
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  const begins = new Date(Math.min(Date.now(), expires.getTime()) - DAY_MS);
  const content = sequence(
    der(0xa0, der(TAG.integer, Buffer.of(2))), // version 3
    der(TAG.integer, Buffer.concat([Buffer.of(1), randomBytes(8)])), // its own number
    algorithm,
    commonName(issuer),
    sequence(time(begins), time(expires)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(TAG.bits, Buffer.concat([Buffer.of(0), sign('sha256', content, issuerKey)]));
  const lines =
    sequence(content, algorithm, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function commonName(name: string): Buffer {
  return sequence(der(TAG.set, sequence(oid(COMMON_NAME), der(TAG.text, Buffer.from(name)))));
}

/** `isCritical`: who does not know it must refuse the certificate; false is the default and not written. */
function extension(id: string, isCritical: Buffer, value: Buffer): Buffer {
  return sequence(oid(id), isCritical, der(TAG.octets, value));
}

function alternatives(names: readonly string[]): Buffer {
  return extension(ALTERNATIVE_NAMES, NO, sequence(...names.map(printName)));
}

/** A host name or an address, each with its own tag. */
function printName(name: string): Buffer {
  return isIP(name) === 4
    ? der(0x87, Buffer.from(name.split('.').map(Number)))
    : der(0x82, Buffer.from(name));
}

/** `20270131120000Z` */
function time(date: Date): Buffer {
  return der(TAG.time, Buffer.from(date.toISOString().replace(/\.\d+|[-:T]/g, '')));
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, 'hex'));
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(TAG.sequence, Buffer.concat(items));
}

function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  const size = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | size.length, ...size), value]);
}
