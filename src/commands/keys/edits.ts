/** What the commands make of the keys of a file. Pure; time, ids and hashes are given. */

import type { FileKey } from '../../config/schema/auth.ts';
import { refused } from './failure.ts';

type Keys = readonly FileKey[];

/** A revoked key gives its name free. Throws CommandFailure. */
export function addKey(keys: Keys, key: FileKey, isTaken: (name: string) => boolean): FileKey[] {
  const others = keys.filter(({ name, revoked }) => name !== key.name || revoked === undefined);
  if (isTaken(key.name) || others.some(({ name, id }) => name === key.name || id === key.name)) {
    throw refused(
      `there is a key '${key.name}' already. Choose another name, or make a new key for this one: keys rotate ${key.name}`,
    );
  }
  return [...others, key];
}

/** By name or id. Throws CommandFailure. */
export function findKey(keys: Keys, called: string): FileKey {
  const found = keys.find(({ name }) => name === called) ?? keys.find(({ id }) => id === called);
  if (found) return found;
  const names = keys.map(({ name }) => name).join(', ');
  throw refused(`there is no key '${called}' in the file${names === '' ? '.' : `, which has: ${names}.`}`);
}

/** Also what it had replaced is refused from now on. */
export function revokeKey(key: FileKey, nowMs: number): FileKey {
  return key.revoked === undefined ? { ...key, previous: undefined, revoked: timeOf(nowMs) } : key;
}

export interface Rotation {
  /** Of the new key. */
  readonly hash: string;
  readonly nowMs: number;
  /** How long what it replaces may still be used; 0: no more. */
  readonly graceMs: number;
  /** In place of the expiry that it had. */
  readonly expires: string | undefined;
}

/** Throws CommandFailure. */
export function rotateKey(key: FileKey, { hash, nowMs, graceMs, expires = key.expires }: Rotation): FileKey {
  const { previous = [] } = key;
  if (key.revoked !== undefined) {
    throw refused(`'${key.name}' was revoked. Make a new key, which may have the same name: keys create`);
  }
  if (expires !== undefined && Date.parse(expires) <= nowMs) {
    throw refused(`'${key.name}' has expired. Say until when the new key is good: --expires 90d`);
  }
  const stillGood = previous.filter((each) => Date.parse(each.expires) > nowMs);
  const replaced = graceMs === 0 ? [] : [...stillGood, { hash: key.hash, expires: timeOf(nowMs + graceMs) }];
  return { ...key, hash, expires, previous: replaced.length === 0 ? undefined : replaced };
}

export type KeyState = 'active' | 'expired' | 'revoked';

export function stateOf({ revoked, expires }: FileKey, nowMs: number): KeyState {
  if (revoked !== undefined) return 'revoked';
  return expires !== undefined && Date.parse(expires) <= nowMs ? 'expired' : 'active';
}

/** As it stands in the file: `2027-01-31T12:00:00.000Z`. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
