/** Changes to what was right once, drawn from a seed: the same on every run, and nobody has to keep them. */

export interface Draw {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  from<T>(items: readonly T[]): T;
}

/** xorshift32: enough to draw with, and one line. */
export function createDraw(seed: number): Draw {
  let state = seed | 1;
  function next(): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  }
  const below = (limit: number): number => next() % limit;
  return {
    below,
    from(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError('nothing to draw from');
      return item;
    },
  };
}

/** One to four changes of bytes: left out, put in, replaced, said twice, cut off. */
export function mutateText(text: string, draw: Draw, pieces: readonly string[]): string {
  let result = text;
  for (let left = 1 + draw.below(4); left > 0; left--) {
    const at = draw.below(result.length + 1);
    const end = at + 1 + draw.below(12);
    const piece = draw.from(pieces);
    switch (draw.below(5)) {
      case 0:
        result = result.slice(0, at) + result.slice(end);
        break;
      case 1:
        result = result.slice(0, at) + piece + result.slice(at);
        break;
      case 2:
        result = result.slice(0, at) + piece + result.slice(at + piece.length);
        break;
      case 3:
        result = result.slice(0, end) + result.slice(at);
        break;
      default:
        if (draw.below(4) === 0) result = result.slice(0, at);
    }
  }
  return result;
}

const ODD_VALUES: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 0,
  () => 1e308,
  () => 2 ** 53,
  () => 0.1,
  () => '',
  () => 'x'.repeat(3000),
  () => '\u0000\ud800\u2028',
  () => '__proto__',
  () => '../../etc/passwd',
  () => 'data: [DONE]\n\n',
  () => [],
  () => ({}),
  () => [null],
  () => [[[[[[]]]]]],
  () => ({ type: 'text', text: 'hi' }),
  () =>
    JSON.parse(
      '{"__proto__":{"isPolluted":true},"constructor":{"prototype":{"isPolluted":true}}}',
    ) as unknown,
  () => JSON.parse('['.repeat(200) + ']'.repeat(200)) as unknown,
];

const ODD_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  'length',
  'Model',
  'then',
];

/** JSON that is still JSON: values replaced, members left out, named otherwise, given twice or added. */
export function mutateJson(value: unknown, draw: Draw): string {
  let text = JSON.stringify(value);
  for (let left = 1 + draw.below(3); left > 0; left--) text = mutateOnce(text, draw);
  return text;
}

function mutateOnce(text: string, draw: Draw): string {
  const odd = JSON.stringify(draw.from(ODD_VALUES)());
  // Where a value begins: behind a colon, a bracket or a comma. Those inside of strings make it no JSON, which is fine.
  const places = [...text.matchAll(/(?<=[:[,])(?:"(?:[^"\\]|\\.)*"|[\w.+-]+|\{\}|\[\])(?=[,\]}])/g)];
  const place = places.length === 0 ? undefined : draw.from(places);
  const name = JSON.stringify(draw.from(ODD_NAMES));
  switch (draw.below(6)) {
    case 0:
    case 1:
    case 2:
      return place ? text.slice(0, place.index) + odd + text.slice(place.index + place[0].length) : odd;
    case 3:
      return text.replace('{', `{${name}:${odd},`);
    case 4:
      return text.replace(/\}$/, `,${draw.from(['"model"', '"messages"', '"stream"', '"n"', name])}:${odd}}`);
    default:
      return text.replace(/"(\w+)":/, () => `${name}:`);
  }
}
