/** The keys of a configuration, as rings that requests are asked at. */

import { createKeyring } from './admission/keyring.ts';
import type { Auth } from './config/keys.ts';
import type { ApiKey } from './core/api-key.ts';
import type { Keyring } from './core/client.ts';
import { hashKey } from './node/hash-key.ts';

export function clientKeyring({ keys, hashSecret, isOpen }: Auth): Keyring {
  return keyringOf(keys, hashSecret, isOpen);
}

/** Keys of clients may be those of operators as well; without any of an operator there are no endpoints for one. */
export function adminKeyring({ adminKey, keys, hashSecret }: Auth): Keyring | undefined {
  const own = adminKey === undefined ? [] : [adminKey];
  const all = [...own, ...keys.filter(({ client, isRevoked }) => client.isAdmin && !isRevoked)];
  return all.length === 0 ? undefined : keyringOf(all, hashSecret, false);
}

function keyringOf(keys: readonly ApiKey[], hashSecret: string | undefined, isOpen: boolean): Keyring {
  const plain = (key: string): string => hashKey(key);
  const hashes = hashSecret === undefined ? [plain] : [(key: string) => hashKey(key, hashSecret), plain];
  return createKeyring({ keys, isOpen, hashes, wallClock: Date.now });
}
