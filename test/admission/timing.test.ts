/** How long a refusal takes says nothing of how much of a key was right. */

import { expect, it } from '@jest/globals';
import { createKeyring } from '../../src/admission/keyring.ts';
import { ANONYMOUS } from '../../src/core/client.ts';
import { hashKey } from '../../src/node/hash-key.ts';

const KEYS = 500;
const KEY_LENGTH = 60;
/** How many characters of a guess are right, from the first on. */
const PREFIXES = [0, 15, 30, 59];
const SAMPLES = 10_000;
/** What is slower than that was interrupted. */
const KEPT_SHARE = 0.8;

/** All keys begin alike, so that what compares them one by one tells it 500 times. */
const keyOf = (i: number): string => `${'k'.repeat(KEY_LENGTH - 4)}${String(1000 + i)}`;
const keys = Array.from({ length: KEYS }, (_, i) => keyOf(i));
const guessOf = (prefix: number): string => keyOf(0).slice(0, prefix).padEnd(KEY_LENGTH, '-');

interface Difference {
  /** Welch's t of the two means. */
  readonly t: number;
  readonly microseconds: number;
}

/** Each prefix beside none; taken in turns, so that whatever happens to the machine happens to all. */
function differencesOf(isLetIn: (header: string) => boolean): Difference[] {
  const headers = PREFIXES.map((prefix) => `Bearer ${guessOf(prefix)}`);
  const samples = PREFIXES.map((): number[] => []);
  for (let i = 0; i < SAMPLES + PREFIXES.length * 500; i++) {
    const which = (i + Math.floor(i / PREFIXES.length)) % PREFIXES.length;
    const startedMs = performance.now();
    const isIn = isLetIn(headers[which] ?? '');
    const tookMs = performance.now() - startedMs;
    if (isIn) throw new Error('a guess was right');
    // The first ones are there for the compiler.
    if (i >= PREFIXES.length * 500) samples[which]?.push(tookMs * 1000);
  }
  const [none, ...others] = samples.map(momentsOf);
  if (!none) throw new Error('no samples');
  return others.map((each) => ({
    t: (each.mean - none.mean) / Math.sqrt(each.variance / each.count + none.variance / none.count),
    microseconds: Math.abs(each.mean - none.mean),
  }));
}

function momentsOf(all: readonly number[]): { mean: number; variance: number; count: number } {
  const kept = [...all].sort((a, b) => a - b).slice(0, Math.floor(all.length * KEPT_SHARE));
  const mean = kept.reduce((sum, each) => sum + each, 0) / kept.length;
  const variance = kept.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (kept.length - 1);
  return { mean, variance, count: kept.length };
}

const tells = ({ t, microseconds }: Difference): boolean => Math.abs(t) > 4.5 && microseconds > 4;

it('a wrong key takes as long whether its first character or its last one is wrong', () => {
  const keyring = createKeyring({
    keys: keys.map((key, i) => ({
      hash: hashKey(key),
      previous: [],
      expiresMs: undefined,
      isRevoked: false,
      client: { ...ANONYMOUS, name: String(i) },
    })),
    isOpen: false,
    hashes: [(key) => hashKey(key)],
    wallClock: Date.now,
  });
  const differences = differencesOf((header) => {
    try {
      keyring.identify(header);
      return true;
    } catch {
      return false;
    }
  });
  expect(differences.filter(tells)).toEqual([]);
});

it('and this would be seen if it did not', () => {
  /** Ends at the first character that differs, as a comparison without care does. */
  function isSame(a: string, b: string): boolean {
    for (let i = 0; i < a.length; i++) if (a.charCodeAt(i) !== b.charCodeAt(i)) return false;
    return a.length === b.length;
  }
  const differences = differencesOf((header) => {
    const token = header.slice('Bearer '.length);
    return keys.some((key) => isSame(key, token));
  });
  expect(differences.some(tells)).toBe(true);
});
