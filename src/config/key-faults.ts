/** What is wrong with keys beside each other: names, the same key twice, hashes that nobody can check. */

import { isGarbled, type ApiKey } from '../core/api-key.ts';
import { ANONYMOUS } from '../core/client.ts';
import type { Fault } from './fault.ts';

/** A key that was read, and where. */
export interface FoundKey {
  readonly key: ApiKey;
  /** As it was written down; undefined when only its hash was. */
  readonly plain: string | undefined;
  /** Of one of its members: `gateway.yaml:4:5`, and `auth.clients[0].name`. */
  place(member: 'name' | 'id' | 'hash'): { readonly where: string; readonly path: string };
}

export function keyFaults(found: readonly FoundKey[], hashSecret: string | undefined): Fault[] {
  return [
    ...found.flatMap((each) => formFaults(each, hashSecret)),
    ...nameFaults(found),
    ...twinFaults(found),
  ];
}

function formFaults({ key, plain, place }: FoundKey, hashSecret: string | undefined): Fault[] {
  const complaint =
    plain !== undefined && isGarbled(plain)
      ? 'looks like a key of this gateway, but a character of it is missing or wrong.'
      : hashSecret === undefined && hashesOf(key).some((hash) => hash.startsWith('hmac-'))
        ? 'was made with a secret. Set auth.hashSecret (KEY_HASH_SECRET) to the same one.'
        : undefined;
  return complaint === undefined ? [] : [toFault(place('hash'), complaint)];
}

/** Counters are kept by id, and people say a name or an id: what is one key's is no other's. */
function nameFaults(found: readonly FoundKey[]): Fault[] {
  const taken = new Set([ANONYMOUS.name]);
  return found.flatMap(({ key: { client }, place }) => {
    const { name, keyId } = client;
    const member = taken.has(name) ? 'name' : taken.has(keyId) ? 'id' : undefined;
    taken.add(name).add(keyId);
    if (member === undefined) return [];
    const given = member === 'name' ? name : keyId;
    return [toFault(place(member), `'${given}' is taken by another key. Names and ids must differ.`)];
  });
}

/** One key under two names would have two rights, and outlive its revocation. The operator's is apart. */
function twinFaults(found: readonly FoundKey[]): Fault[] {
  const holders = new Map<string, string>();
  return found.flatMap(({ key, place }) => {
    if (key.source === 'auth.adminKey') return [];
    const twin = hashesOf(key)
      .map((hash) => holders.get(hash))
      .find((name) => name !== undefined);
    for (const hash of hashesOf(key)) holders.set(hash, key.client.name);
    return twin === undefined ? [] : [toFault(place('hash'), `is the key of '${twin}' as well.`)];
  });
}

function hashesOf({ hash, previous }: ApiKey): string[] {
  return [hash, ...previous.map((each) => each.hash)];
}

function toFault({ where, path }: { where: string; path: string }, complaint: string): Fault {
  return { where, message: `${path}: ${complaint}` };
}
