/** Who is next in line. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createLine, type Line } from '../../src/routing/line.ts';

/** `client model priority`, by name. */
function lineOf(...names: readonly string[]): Line<string> {
  const line = createLine<string>();
  for (const name of names) {
    const [client = '', model = 'm', priority = '0'] = name.split(' ');
    line.add({ client, model, priority: Number(priority.replace(/\D.*/, '')) }, name);
  }
  return line;
}

function drain(line: Line<string>): string[] {
  const order: string[] = [];
  for (let next = line.next(); next !== undefined; next = line.next()) order.push(next);
  return order;
}

describe('a line', () => {
  it('is first come, first served for one client', () => {
    expect(drain(lineOf('a m 0', 'a m 0-2', 'a m 0-3'))).toEqual(['a m 0', 'a m 0-2', 'a m 0-3']);
  });

  it('lets clients take turns, however many requests one of them has', () => {
    const order = drain(lineOf('a m 0', 'a m 0-2', 'a m 0-3', 'b m 0', 'b m 0-2', 'c m 0'));
    expect(order).toEqual(['a m 0', 'b m 0', 'c m 0', 'a m 0-2', 'b m 0-2', 'a m 0-3']);
  });

  it('lets models take turns', () => {
    expect(drain(lineOf('a x', 'b x', 'c x', 'd y'))).toEqual(['a x', 'd y', 'b x', 'c x']);
  });

  it('serves a higher priority first', () => {
    expect(drain(lineOf('a m 0', 'b m 5', 'c m 1'))).toEqual(['b m 5', 'c m 1', 'a m 0']);
  });

  it('forgets who leaves', () => {
    const line = lineOf('a m', 'b m', 'c x');
    line.remove('a m');
    line.remove('never there');
    expect([line.length, line.lengthOf('m'), line.lengthOf('x')]).toEqual([2, 1, 1]);
    expect(drain(line).sort()).toEqual(['b m', 'c x']);
    expect(line.next()).toBeUndefined();
  });

  it('gives everybody out once, and none who left', () => {
    const place = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      model: fc.constantFrom('x', 'y'),
      priority: fc.nat({ max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.boolean()), { maxLength: 40 }), (arrivals) => {
        const line = createLine<number>();
        arrivals.forEach(([each], i) => {
          line.add(each, i);
        });
        const staying = arrivals.flatMap(([, leaves], i) => (leaves ? [] : i));
        arrivals.forEach(([, leaves], i) => {
          if (leaves) line.remove(i);
        });
        const served: number[] = [];
        for (let next = line.next(); next !== undefined; next = line.next()) served.push(next);
        expect(served.sort((a, b) => a - b)).toEqual(staying);
        expect(line.length).toBe(0);
      }),
    );
  });
});
