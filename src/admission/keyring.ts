/** Who may enter: API keys, kept as hashes only. */

import { isGarbled, type ApiKey } from '../core/api-key.ts';
import { ANONYMOUS, type Client, type Keyring } from '../core/client.ts';
import { GatewayError } from '../core/errors.ts';

type KeptKey = Omit<ApiKey, 'metadata' | 'source'>;

interface KeyringOptions {
  readonly keys: readonly KeptKey[];
  /** Everybody may enter, with a key or without one. */
  readonly isOpen: boolean;
  /** The hashes by which keys are kept; each starts with its own name and a colon. */
  readonly hashes: readonly ((key: string) => string)[];
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

/** One hash, and what it opens. */
interface Entry {
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
  readonly isRevoked: boolean;
  readonly client: Client;
}

/** Longer than any key; what is longer is not worth a hash. */
const MAX_KEY_LENGTH = 512;
/** The scheme is case-insensitive (RFC 9110, section 11.1). */
const BEARER = /^bearer +([^\s]+) *$/i;
/** Hex digits of a hash by which it is found: what they take to look up tells nothing of a key. */
const INDEX_DIGITS = 8;

export function createKeyring({ keys, isOpen, hashes, wallClock }: KeyringOptions): Keyring {
  const index = new Map<string, Entry[]>();
  for (const entry of keys.flatMap(entriesOf)) {
    const digits = indexOf(entry.hash);
    index.set(digits, [...(index.get(digits) ?? []), entry]);
  }

  function find(token: string): Entry | undefined {
    for (const hash of hashes) {
      const wanted = hash(token);
      const found = index.get(indexOf(wanted))?.find((entry) => isEqual(entry.hash, wanted));
      if (found) return found;
    }
    return undefined;
  }

  return {
    identify(authorization) {
      if (isOpen) return ANONYMOUS;
      const [, token] = BEARER.exec(authorization ?? '') ?? [];
      if (token === undefined) throw missing();
      if (isGarbled(token))
        throw invalid('Incorrect API key provided: a character of it is missing or wrong.');
      const found = token.length > MAX_KEY_LENGTH ? undefined : find(token);
      if (!found) throw invalid('Incorrect API key provided.');
      // Whoever hears this holds the key.
      if (found.isRevoked) throw invalid('This API key was revoked. Ask for another one.');
      if (wallClock() >= found.expiresMs) throw invalid('This API key has expired. Ask for another one.');
      return found.client;
    },
  };
}

function entriesOf({ hash, previous, expiresMs = Infinity, isRevoked, client }: KeptKey): Entry[] {
  return [
    { hash, expiresMs, isRevoked, client },
    ...previous.map((each) => ({
      hash: each.hash,
      expiresMs: Math.min(each.expiresMs, expiresMs),
      isRevoked,
      client,
    })),
  ];
}

function indexOf(hash: string): string {
  return hash.slice(0, hash.indexOf(':') + 1 + INDEX_DIGITS);
}

/** Looks at every digit, whichever differs: the time tells nothing. */
function isEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

function missing(): GatewayError {
  return new GatewayError('missing_api_key', {
    message:
      "You didn't provide an API key. You need to provide your API key in an Authorization header " +
      'using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).',
  });
}

function invalid(message: string): GatewayError {
  return new GatewayError('invalid_api_key', { message });
}
