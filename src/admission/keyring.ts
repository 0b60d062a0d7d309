/** Who may enter: API keys, kept as hashes only. */

import { ANONYMOUS, type Client, type Keyring } from '../core/client.ts';
import { GatewayError } from '../core/errors.ts';

/** A key and what its holder may do; the key itself is nowhere. */
export interface ApiKey {
  /** Of the key, 64 hex digits. */
  readonly hash: string;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
  readonly isRevoked: boolean;
  readonly client: Client;
}

interface KeyringOptions {
  readonly keys: readonly ApiKey[];
  /** The hash by which keys are kept. */
  readonly hash: (key: string) => string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

/** Longer than any key; what is longer is not worth a hash. */
const MAX_KEY_LENGTH = 512;
/** The scheme is case-insensitive (RFC 9110, section 11.1). */
const BEARER = /^bearer +([^\s]+) *$/i;
/** Hex digits of a hash by which it is found: what they take to look up tells nothing of a key. */
const INDEX_DIGITS = 8;

/** Without any key everybody may enter; the server then listens on loopback only. */
export function createKeyring({ keys, hash, wallClock }: KeyringOptions): Keyring {
  const index = new Map<string, ApiKey[]>();
  for (const key of keys) {
    const digits = key.hash.slice(0, INDEX_DIGITS);
    index.set(digits, [...(index.get(digits) ?? []), key]);
  }

  function find(token: string): ApiKey | undefined {
    const wanted = hash(token);
    return index.get(wanted.slice(0, INDEX_DIGITS))?.find((key) => isEqual(key.hash, wanted));
  }

  return {
    identify(authorization) {
      if (keys.length === 0) return ANONYMOUS;
      const [, token] = BEARER.exec(authorization ?? '') ?? [];
      if (token === undefined) {
        throw new GatewayError('missing_api_key', {
          message:
            "You didn't provide an API key. You need to provide your API key in an Authorization header " +
            'using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).',
        });
      }
      const found = token.length > MAX_KEY_LENGTH ? undefined : find(token);
      if (found && !found.isRevoked && wallClock() < (found.expiresMs ?? Infinity)) return found.client;
      throw new GatewayError('invalid_api_key', { message: 'Incorrect API key provided.' });
    },
  };
}

/** Looks at every digit, whichever differs: the time tells nothing. */
function isEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
