import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { fromBase64, toBase64 } from '../../src/wire/float32.ts';

const floats = fc.array(fc.float({ noDefaultInfinity: true, noNaN: true }), { maxLength: 40 });

describe('base64 of float32', () => {
  it.each([
    [[0.5, -0.25], 'AAAAPwAAgL4='],
    [[1], 'AACAPw=='],
    [[1, 2, 3], 'AACAPwAAAEAAAEBA'],
    [[], ''],
  ])('of %j is %s', (numbers, text) => {
    expect(toBase64(numbers)).toBe(text);
    expect(Array.from(fromBase64(text) ?? [])).toEqual(numbers);
  });

  it('is what Node makes of the same numbers', () => {
    fc.assert(
      fc.property(floats, (numbers) => {
        const bytes = Buffer.alloc(numbers.length * 4);
        numbers.forEach((number, i) => bytes.writeFloatLE(number, i * 4));
        expect(toBase64(numbers)).toBe(bytes.toString('base64'));
      }),
    );
  });

  it('gives every float32 back, to the sign of zero', () => {
    fc.assert(
      fc.property(floats, (numbers) => {
        expect(fromBase64(toBase64(numbers))).toEqual(Float32Array.from(numbers));
      }),
    );
  });

  it('rounds every other number to the nearest float32', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e38, max: 1e38, noNaN: true })), (numbers) => {
        expect(fromBase64(toBase64(numbers))).toEqual(Float32Array.from(numbers, Math.fround));
      }),
    );
  });

  it.each(['A', 'AACAPw=', 'AACAPw', 'AACA', 'AACAP===', 'AACA-w==', 'AACAPé==', '====', 'AA=APw=='])(
    'reads nothing from %s',
    (text) => {
      expect(fromBase64(text)).toBeUndefined();
    },
  );
});
