/** Which headers of W3C Trace Context are heard, and which are not. */

import { describe, expect, it } from '@jest/globals';
import { printTraceContext, readTraceContext } from '../../src/wire/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const GOOD = `00-${TRACE}-${PARENT}-01`;

describe('a traceparent', () => {
  it('tells the trace, the span and whether it is recorded', () => {
    expect(readTraceContext({ traceparent: GOOD })).toEqual({
      traceparent: GOOD,
      tracestate: '',
      traceId: TRACE,
      parentId: PARENT,
      flags: 1,
    });
  });

  it.each([
    ['of a later version', `cc-${TRACE}-${PARENT}-01`],
    ['of a later version that says more', `cc-${TRACE}-${PARENT}-01-what-the-future-brings`],
  ])('%s is heard', (_, traceparent) => {
    expect(readTraceContext({ traceparent })).toMatchObject({ traceId: TRACE, parentId: PARENT });
  });

  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['came twice', `${GOOD}, ${GOOD}`],
    ['came as a list', [GOOD]],
    ['has no trace', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['has no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['is of the version that is none', `ff-${TRACE}-${PARENT}-01`],
    ['is written in capitals', GOOD.toUpperCase()],
    ['says more than its version may', `${GOOD}-more`],
    ['has a longer id', `00-${TRACE}0-${PARENT}-01`],
    ['has a shorter id', `00-${TRACE.slice(1)}-${PARENT}-01`],
    ['has no flags', `00-${TRACE}-${PARENT}`],
    ['has other letters', `00-${TRACE.slice(1)}g-${PARENT}-01`],
    ['is longer than anything of use', `cc-${TRACE}-${PARENT}-01-${'x'.repeat(300)}`],
  ])('that %s is not', (_, traceparent) => {
    expect(readTraceContext({ traceparent, tracestate: 'a=1' })).toBeUndefined();
  });
});

describe('a tracestate', () => {
  const stateOf = (tracestate: string): string | undefined =>
    readTraceContext({ traceparent: GOOD, tracestate })?.tracestate;

  it.each([
    ['a=1', 'a=1'],
    ['a=1 , , b=2', 'a=1,b=2'],
    ['tenant@vendor=x y', 'tenant@vendor=x y'],
    ['', ''],
  ])('%j is passed on as %j', (given, passedOn) => {
    expect(stateOf(given)).toBe(passedOn);
  });

  it.each([
    ['has a member without a value', 'a=1,b'],
    ['has capitals in a name', 'A=1'],
    ['has bytes that no header has', 'a=\u00e9'],
    ['has two signs of equality', 'a=1=2'],
    ['has too many members', Array.from({ length: 33 }, (_, i) => `a${String(i)}=1`).join(',')],
    ['is too long', `a=${'x'.repeat(200)},b=${'x'.repeat(200)},c=${'x'.repeat(200)}`],
  ])('that %s is dropped, and the trace goes on', (_, given) => {
    expect(stateOf(given)).toBe('');
  });
});

it('what is printed is read', () => {
  const headers = printTraceContext(TRACE, PARENT, 1, 'a=1');
  expect(headers).toEqual({ traceparent: GOOD, tracestate: 'a=1' });
  expect(readTraceContext(headers)).toMatchObject({ traceId: TRACE, parentId: PARENT, flags: 1 });
  expect(printTraceContext(TRACE, PARENT, 0, '')).toEqual({ traceparent: `00-${TRACE}-${PARENT}-00` });
});
