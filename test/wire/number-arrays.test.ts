import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { ByteText } from '../../src/core/stream.ts';
import { arrayAt, cutNumberArrays } from '../../src/wire/number-arrays.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';

function cut(json: string): ReturnType<typeof cutNumberArrays> {
  return cutNumberArrays(encodeUtf8(json));
}

/** Puts every array back in its place. */
function restore({ json, arrays }: ReturnType<typeof cut>): unknown {
  const outline = { json, arrays };
  const walk = (value: unknown): unknown => {
    const array = arrayAt(value, outline);
    if (array) return JSON.parse(array.text);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each)]));
  };
  return walk(JSON.parse(json));
}

describe('arrays of numbers', () => {
  it('are cut out as they stand, with their length', () => {
    const { json, arrays } = cut('{"a":[[1, -0.5E+3 ,\t2e-07],[0]],"n":7}');
    expect(json).toBe('{"a":[[0],[1]],"n":7}');
    expect(arrays).toEqual([
      { text: '[1, -0.5E+3 ,\t2e-07]', length: 3 },
      { text: '[0]', length: 1 },
    ]);
  });

  it.each([
    '[]',
    '["1"]',
    '[null]',
    '[NaN]',
    '[01]',
    '[1.]',
    '[.5]',
    '[+1]',
    '[1e]',
    '[--1]',
    '[1,]',
    '[1',
    '[1,[',
    '[1 2]',
  ])('are not what %s is', (json) => {
    expect(cut(json)).toEqual({ json, arrays: [] });
  });

  it('are not looked for in strings', () => {
    const json = '{"a [1]":"\\"[2]","b":"[3]"}';
    expect(cut(json)).toEqual({ json, arrays: [] });
    expect(cut('"[1,2').json).toBe('"[1,2');
  });

  it('leave a value that is no place alone', () => {
    const outline = cut('[[5],["length"],[7,"x"],5]');
    const values = JSON.parse(outline.json) as unknown[];
    expect(values.map((value) => arrayAt(value, outline)?.text)).toEqual([
      '[5]',
      undefined,
      undefined,
      undefined,
    ]);
    expect(arrayAt([3], outline)).toBeUndefined();
  });

  it('can be put back in any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        expect(restore(cut(json))).toEqual(JSON.parse(json));
      }),
    );
  });

  it('cost no more than a look at each byte, however the text goes on', () => {
    const hostile = '[1,'.repeat(200_000) as ByteText;
    const startedMs = performance.now();
    cutNumberArrays(hostile);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });
});
