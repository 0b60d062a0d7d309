import { describe, expect, it } from '@jest/globals';
import { exceededLimit } from '../../src/wire/json-shape.ts';

const LIMITS = { nesting: 4, members: 3, containers: 6 };

describe('the shape of a JSON text', () => {
  it.each([
    '1',
    '"[[[[[[["',
    '{}',
    '{"a":[[{"b":"}"}]]}',
    '{"a":1,"b":",,,,","c":[1,2,3,4,5,6]}',
    '[{"a":1,"b":1,"c":1},{"a":1,"b":1,"c":1}]',
    '{"\\"":{"a":1,"b":2},"c":3,"d":4}',
  ])('is within the limits: %s', (json) => {
    expect(exceededLimit(json, LIMITS)).toBeUndefined();
  });

  it.each([
    ['nesting', '{"a":[[[[1]]]]}'],
    ['nesting', '[[[[['],
    ['members', '{"a":1,"b":2,"c":3,"d":4}'],
    ['members', '[[1,2,3,4],{"a":[1],"b":{"x":1},"c":3,"d":4}]'],
    ['containers', '[{},{},{},[],[],{}]'],
  ])('is beyond that of %s: %s', (limit, json) => {
    expect(exceededLimit(json, LIMITS)).toBe(limit);
  });

  it.each(['', ']]]]{"a":1}', '{"a', ',,,'])('of what is no JSON is told too: %j', (json) => {
    expect(() => exceededLimit(json, LIMITS)).not.toThrow();
  });
});
