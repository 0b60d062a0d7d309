/** Who may enter: API keys, kept as hashes only. */

import { GatewayError } from '../core/errors.ts';
import type { Client, Keyring } from '../core/exchange.ts';

export interface ApiKey {
  readonly name: string;
  /** SHA-256 of the key as 64 hex digits. */
  readonly sha256: string;
}

const ANONYMOUS: Client = { name: 'anonymous' };
/** Longer than any key; what is longer is not worth a hash. */
const MAX_KEY_LENGTH = 512;
/** The scheme is case-insensitive (RFC 9110, section 11.1). */
const BEARER = /^bearer +([^\s]+) *$/i;

/** Without any key everybody may enter; the server then listens on loopback only. */
export function createKeyring(keys: readonly ApiKey[], sha256: (text: string) => string): Keyring {
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
      const found = token.length > MAX_KEY_LENGTH ? undefined : find(keys, sha256(token));
      if (found) return { name: found.name };
      throw new GatewayError('invalid_api_key', { message: 'Incorrect API key provided.' });
    },
  };
}

/** Looks at every key and every digit, whichever matches: the time tells nothing. */
function find(keys: readonly ApiKey[], hash: string): ApiKey | undefined {
  let found: ApiKey | undefined;
  for (const key of keys) if (isEqual(key.sha256, hash)) found = key;
  return found;
}

function isEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
