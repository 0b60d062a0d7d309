import { describe, expect, it } from '@jest/globals';
import { HOLE, splitAtHoles } from '../../src/wire/template.ts';

describe('a template', () => {
  it('has its holes where a value is to be', () => {
    expect(splitAtHoles({ a: HOLE, b: [1, HOLE] })).toEqual(['{"a":', ',"b":[1,', ']}']);
  });

  it.each([JSON.stringify(HOLE), '\u0000hole', '"\u0000hole"', 'x{"hole":true}', '\\"hole\\":true'])(
    'has none in a text, whatever it says: %j',
    (text) => {
      expect(splitAtHoles({ model: text, [text]: text, content: HOLE })).toHaveLength(2);
    },
  );
});
