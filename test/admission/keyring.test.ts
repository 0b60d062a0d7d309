/** Who may enter. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createKeyring, type ApiKey } from '../../src/admission/keyring.ts';
import { ANONYMOUS } from '../../src/core/client.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const KEY = 'sk-abcdefghijklmnopqrstuvwxyz012345';
let nowMs = 0;

function keyOf(key: string, name: string, more: Partial<ApiKey> = {}): ApiKey {
  const client = { ...ANONYMOUS, name, keyId: name };
  return { hash: sha256(key), expiresMs: undefined, isRevoked: false, client, ...more };
}

const keyring = createKeyring({
  keys: [
    keyOf(KEY, 'default'),
    keyOf(`${KEY}-2`, 'other'),
    keyOf(`${KEY}-3`, 'revoked', { isRevoked: true }),
    keyOf(`${KEY}-4`, 'short', { expiresMs: 1000 }),
  ],
  hash: sha256,
  wallClock: () => nowMs,
});

describe('a key', () => {
  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER   ${KEY}  `])('is taken from %j', (header) => {
    expect(keyring.identify(header).name).toBe('default');
  });

  it('tells its holder apart', () => {
    expect(keyring.identify(`Bearer ${KEY}-2`).name).toBe('other');
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    KEY,
    `Basic ${KEY}`,
    `Bearer ${KEY} ${KEY}`,
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
  ])('is wrong in %.40j', (header) => {
    expect(() => keyring.identify(header)).toThrow(
      expect.objectContaining({ reason: 'invalid_api_key', status: 401, code: 'invalid_api_key' }),
    );
  });

  it('is refused when it was revoked, and from the moment on that it expires', () => {
    const invalid = expect.objectContaining({ reason: 'invalid_api_key' });
    expect(() => keyring.identify(`Bearer ${KEY}-3`)).toThrow(invalid);
    nowMs = 999;
    expect(keyring.identify(`Bearer ${KEY}-4`).name).toBe('short');
    nowMs = 1000;
    expect(() => keyring.identify(`Bearer ${KEY}-4`)).toThrow(invalid);
  });

  it('is never in the message that refuses it', () => {
    expect(() => keyring.identify('Bearer sk-my-secret-key')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('my-secret') }),
    );
  });
});

it('without any key everybody may enter', () => {
  const open = createKeyring({ keys: [], hash: sha256, wallClock: () => 0 });
  expect(open.identify(undefined)).toEqual(open.identify('Bearer anything'));
});
