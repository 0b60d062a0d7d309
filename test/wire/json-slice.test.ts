/** Values cut out of JSON text. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sliceItems, sliceJson, sliceMembers } from '../../src/wire/json-slice.ts';

const spacing = fc.constantFrom(undefined, 1, '\t');

describe('slicing JSON', () => {
  it('finds every member of every object, whatever the spacing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), spacing, (object, space) => {
        const json = JSON.stringify(object, null, space);
        const members = sliceMembers(json);
        const parsed = JSON.parse(json) as Record<string, unknown>;
        expect([...members.keys()].sort()).toEqual(Object.keys(parsed).sort());
        for (const [name, text] of members) {
          expect(JSON.parse(text)).toEqual(parsed[name]);
          expect(sliceJson(json, [name])).toBe(text);
        }
      }),
    );
  });

  it('finds every item of every array, whatever the spacing', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), spacing, (items, space) => {
        const texts = sliceItems(JSON.stringify({ a: { b: items } }, null, space), ['a', 'b']);
        expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual(
          JSON.parse(JSON.stringify(items)) as unknown,
        );
      }),
    );
  });

  it.each(['{"a":{}}', '{"a":"[1]"}', '{"b":[1]}', '[1]'])('finds no items in %s', (json) => {
    expect(sliceItems(json, ['a'])).toEqual([]);
  });

  it('keeps digits that a number cannot hold', () => {
    expect(sliceJson('{"a":[1,{"b":12345678901234567890}]}', ['a', 1, 'b'])).toBe('12345678901234567890');
  });

  it('keeps the order of integer-like keys', () => {
    expect(sliceJson('{"x":{"b":1,"10":2,"2":3}}', ['x'])).toBe('{"b":1,"10":2,"2":3}');
  });

  it('takes the last of duplicate keys, as JSON.parse does', () => {
    expect(sliceJson('{"a":1,"a":2}', ['a'])).toBe('2');
    expect(Object.fromEntries(sliceMembers('{"a":1,"\\u0061":2}'))).toEqual({ a: '2' });
  });

  it.each([
    ['{"a":1}', ['b']],
    ['{"a":1}', ['a', 'b']],
    ['{"a":[1]}', ['a', 1]],
    ['[1,2]', ['a']],
    ['3', ['a']],
    ['{}', ['a']],
  ])('finds nothing in %s at %j', (json, path) => {
    expect(sliceJson(json, path)).toBeUndefined();
  });

  it('is not misled by quotes, backslashes and brackets inside strings', () => {
    const json = JSON.stringify({ a: 'x"]}\\', b: ['\\"', '}'], c: 1 });
    expect(sliceJson(json, ['b'])).toBe(String.raw`["\\\"","}"]`);
    expect(sliceJson(json, ['c'])).toBe('1');
  });
});
