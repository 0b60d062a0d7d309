import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseExact, printExact } from '../../src/wire/exact-json.ts';

describe('exact JSON', () => {
  it('is printed as JSON of the same value, whatever the spacing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const printed = printExact(parseExact(JSON.stringify(value, null, space)));
        expect(printed).toBe(JSON.stringify(value));
      }),
    );
  });

  it.each([
    '9007199254740993',
    '1e400',
    '-0',
    '1.0',
    '{"10":1,"2":2,"a":3}',
    '[{"b":12345678901234567890.123},"\\"}",{"":[]},true,null]',
    '{"__proto__":{"constructor":1}}',
  ])('keeps %s', (json) => {
    expect(printExact(parseExact(json))).toBe(json);
  });

  it('has the last of members with the same name', () => {
    expect(printExact(parseExact('{"a":1,"b":2,"\\u0061":3}'))).toBe('{"a":3,"b":2}');
  });
});
