/** API keys: what is kept of one, and the form of those that the gateway makes. */

import type { Client } from './client.ts';

/** The setting in which a key is written down. */
export type KeySource = 'auth.key' | 'auth.keys' | 'auth.adminKey' | 'auth.clients' | 'auth.keyFile';

/** A key and what its holder may do; the key itself is nowhere. */
export interface ApiKey {
  /** `sha256:` or `hmac-sha256:`, and 64 hex digits. */
  readonly hash: string;
  /** Keys that this one has replaced and that are still good for a while. */
  readonly previous: readonly PreviousKey[];
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
  readonly isRevoked: boolean;
  readonly client: Client;
  /** What the operator noted down. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly source: KeySource;
}

export interface PreviousKey {
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/** Key → `hmac-sha256:` with the secret, `sha256:` without one, and 64 hex digits. */
export type HashKey = (key: string, secret?: string) => string;

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** So many digits hold 32 bytes. */
const BODY_LENGTH = 43;
/** So many hold 32 bits. */
const CHECKSUM_LENGTH = 6;
const FORM = new RegExp(
  `^sk-([0-9A-Za-z]{${String(BODY_LENGTH)}})([0-9A-Za-z]{${String(CHECKSUM_LENGTH)}})$`,
);

/** `sk-`, 43 letters and digits, and 6 more by which a slip is seen. Takes 32 random bytes. */
export function printKey(random: Uint8Array): string {
  const number = random.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const body = toDigits(number, BODY_LENGTH);
  return `sk-${body}${checksumOf(body)}`;
}

/** It looks like a key that the gateway has made, and none was ever made so. */
export function isGarbled(key: string): boolean {
  const [, body, checksum] = FORM.exec(key) ?? [];
  return body !== undefined && checksumOf(body) !== checksum;
}

function checksumOf(body: string): string {
  return toDigits(BigInt(crc32(body)), CHECKSUM_LENGTH);
}

function toDigits(number: bigint, length: number): string {
  let text = '';
  for (let rest = number; text.length < length; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text;
}

/** As zip and PNG have it (ISO-HDLC), of ASCII. */
function crc32(text: string): number {
  let rest = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    rest ^= text.charCodeAt(i);
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return (rest ^ 0xffffffff) >>> 0;
}
