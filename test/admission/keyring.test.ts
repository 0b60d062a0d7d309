/** Who may enter. */

import { describe, expect, it } from '@jest/globals';
import { createKeyring } from '../../src/admission/keyring.ts';
import { isGarbled, printKey, type ApiKey } from '../../src/core/api-key.ts';
import { ANONYMOUS } from '../../src/core/client.ts';
import { hashKey } from '../../src/node/hash-key.ts';

const KEY = 'sk-abcdefghijklmnopqrstuvwxyz012345';
const OWN_KEY = printKey(new Uint8Array(32).fill(7));
const SECRET = 's'.repeat(32);
let nowMs = 0;

type KeptKey = Omit<ApiKey, 'metadata' | 'source'>;

function keyOf(key: string, name: string, more: Partial<KeptKey> = {}): KeptKey {
  const client = { ...ANONYMOUS, name, keyId: name };
  return { hash: hashKey(key), previous: [], expiresMs: undefined, isRevoked: false, client, ...more };
}

const keyring = createKeyring({
  keys: [
    keyOf(KEY, 'default'),
    keyOf(`${KEY}-2`, 'other'),
    keyOf(`${KEY}-3`, 'revoked', { isRevoked: true }),
    keyOf(`${KEY}-4`, 'short', { expiresMs: 1000 }),
    keyOf(`${KEY}-5`, 'rotated', { previous: [{ hash: hashKey(`${KEY}-5-old`), expiresMs: 500 }] }),
    keyOf(`${KEY}-6`, 'with a secret', { hash: hashKey(`${KEY}-6`, SECRET) }),
    keyOf(OWN_KEY, 'own'),
  ],
  isOpen: false,
  hashes: [(key) => hashKey(key, SECRET), (key) => hashKey(key)],
  wallClock: () => nowMs,
});

const invalid = (message = /./): unknown =>
  expect.objectContaining({
    reason: 'invalid_api_key',
    status: 401,
    code: 'invalid_api_key',
    message: expect.stringMatching(message),
  });

describe('a key', () => {
  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER   ${KEY}  `])('is taken from %j', (header) => {
    expect(keyring.identify(header).name).toBe('default');
  });

  it('tells its holder apart, whichever hash it is kept by', () => {
    expect(keyring.identify(`Bearer ${KEY}-2`).name).toBe('other');
    expect(keyring.identify(`Bearer ${KEY}-6`).name).toBe('with a secret');
    expect(keyring.identify(`Bearer ${OWN_KEY}`).name).toBe('own');
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    KEY,
    `Basic ${KEY}`,
    `Bearer ${KEY} ${KEY}`,
    `Bearer ${KEY}, Bearer ${KEY}`,
    `Bearer\t${KEY}`,
    `Bearer,${KEY}`,
  ])('is missing in %j', (header) => {
    expect(() => keyring.identify(header)).toThrow(
      expect.objectContaining({ reason: 'missing_api_key', status: 401, code: null }),
    );
  });

  it.each([
    `Bearer ${KEY.slice(0, -1)}`,
    `Bearer ${KEY}x`,
    `Bearer ${KEY.toUpperCase()}`,
    `Bearer ${'x'.repeat(100_000)}`,
    'Bearer undefined',
    'Bearer __proto__',
    "Bearer 'OR'1'='1",
    'Bearer \u0000',
    `Bearer ${hashKey(KEY)}`,
    `Bearer ${hashKey(KEY).slice('sha256:'.length)}`,
  ])('is wrong in %.40j', (header) => {
    expect(() => keyring.identify(header)).toThrow(invalid(/Incorrect/));
  });

  it('is refused when it was revoked, and from the moment on that it expires', () => {
    expect(() => keyring.identify(`Bearer ${KEY}-3`)).toThrow(invalid(/revoked/));
    nowMs = 999;
    expect(keyring.identify(`Bearer ${KEY}-4`).name).toBe('short');
    nowMs = 1000;
    expect(() => keyring.identify(`Bearer ${KEY}-4`)).toThrow(invalid(/expired/));
  });

  it('that was replaced is good for its holder until its time is over', () => {
    nowMs = 499;
    expect(keyring.identify(`Bearer ${KEY}-5-old`)).toBe(keyring.identify(`Bearer ${KEY}-5`));
    nowMs = 500;
    expect(() => keyring.identify(`Bearer ${KEY}-5-old`)).toThrow(invalid(/expired/));
    expect(keyring.identify(`Bearer ${KEY}-5`).name).toBe('rotated');
  });

  it('is never in the message that refuses it', () => {
    expect(() => keyring.identify('Bearer sk-my-secret-key')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('my-secret') }),
    );
  });
});

describe('a key of the gateway’s own form', () => {
  it('has a checksum: with one character changed or two swapped it is none', () => {
    expect(OWN_KEY).toMatch(/^sk-[0-9A-Za-z]{49}$/);
    expect(isGarbled(OWN_KEY)).toBe(false);
    for (let i = 3; i < OWN_KEY.length; i++) {
      const other = OWN_KEY[i] === 'a' ? 'b' : 'a';
      expect(isGarbled(OWN_KEY.slice(0, i) + other + OWN_KEY.slice(i + 1))).toBe(true);
      if (i + 1 === OWN_KEY.length || OWN_KEY[i] === OWN_KEY[i + 1]) continue;
      const swapped = OWN_KEY.slice(0, i) + OWN_KEY.charAt(i + 1) + OWN_KEY.charAt(i) + OWN_KEY.slice(i + 2);
      expect(isGarbled(swapped)).toBe(true);
    }
  });

  it('is refused without a look at any other when it is garbled', () => {
    let hashed = 0;
    const counting = createKeyring({
      keys: [keyOf(OWN_KEY, 'own')],
      isOpen: false,
      hashes: [
        (key) => {
          hashed++;
          return hashKey(key);
        },
      ],
      wallClock: () => 0,
    });
    const garbled = OWN_KEY.slice(0, -1) + (OWN_KEY.endsWith('a') ? 'b' : 'a');
    expect(() => counting.identify(`Bearer ${garbled}`)).toThrow(invalid(/missing or wrong/));
    expect(hashed).toBe(0);
  });

  it('holds all bits of what it was made of', () => {
    const low = printKey(new Uint8Array(32));
    const high = printKey(new Uint8Array(32).fill(255));
    expect(low).toMatch(/^sk-0{43}/);
    expect(high).not.toBe(printKey(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 254 : 255))));
    expect(high).not.toBe(printKey(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 254 : 255))));
    expect(high).toHaveLength(low.length);
  });

  it('leaves other keys that begin with sk- alone', () => {
    for (const key of ['sk-', KEY, `${OWN_KEY}x`, OWN_KEY.slice(0, -1), 'sk-proj-abc_def']) {
      expect(isGarbled(key)).toBe(false);
    }
  });
});

it('nobody enters without a key when there could be some, and everybody when there are none', () => {
  const common = { keys: [], hashes: [hashKey], wallClock: () => 0 };
  expect(() => createKeyring({ ...common, isOpen: false }).identify('Bearer anything')).toThrow(invalid());
  const open = createKeyring({ ...common, isOpen: true });
  expect(open.identify(undefined)).toBe(ANONYMOUS);
  expect(open.identify('Bearer anything')).toBe(ANONYMOUS);
});
