/** Who may enter. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createKeyring } from '../../src/admission/keyring.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const KEY = 'sk-abcdefghijklmnopqrstuvwxyz012345';
const keyring = createKeyring(
  [
    { name: 'default', sha256: sha256(KEY) },
    { name: 'other', sha256: sha256(`${KEY}-2`) },
  ],
  sha256,
);

describe('a key', () => {
  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER   ${KEY}  `])('is taken from %j', (header) => {
    expect(keyring.identify(header)).toEqual({ name: 'default' });
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

  it('is never in the message that refuses it', () => {
    expect(() => keyring.identify('Bearer sk-my-secret-key')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('my-secret') }),
    );
  });
});

it('without any key everybody may enter', () => {
  const open = createKeyring([], sha256);
  expect(open.identify(undefined)).toEqual(open.identify('Bearer anything'));
});
