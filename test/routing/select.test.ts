/** The weighted least-load score. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { scoreOf, select, type Candidate } from '../../src/routing/select.ts';

const idle: Candidate = { weight: 1, inFlight: 0, latencySeconds: 1, successRate: 1 };

/** Numbers in [0, 1) that repeat themselves: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const candidate = fc.record({
  weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
  inFlight: fc.nat(1000),
  latencySeconds: fc.option(fc.double({ min: 0, max: 600, noNaN: true }), { nil: undefined }),
  successRate: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe('the score', () => {
  it('is weight · successRate / (latency · (inFlight + 1))', () => {
    expect(scoreOf({ weight: 3, inFlight: 4, latencySeconds: 2, successRate: 0.5 }, 1)).toBeCloseTo(0.15);
  });

  it('is a finite positive number for every candidate, also one without sample, latency or success', () => {
    fc.assert(
      fc.property(candidate, (each) => {
        const score = scoreOf(each, 1);
        expect(score).toBeGreaterThan(0);
        expect(Number.isFinite(score)).toBe(true);
      }),
    );
  });

  it('never rises when something more is in flight', () => {
    fc.assert(
      fc.property(candidate, (each) => {
        expect(scoreOf({ ...each, inFlight: each.inFlight + 1 }, 1)).toBeLessThan(scoreOf(each, 1));
      }),
    );
  });
});

describe('selection', () => {
  it('takes none of none', () => {
    const none: Candidate[] = [];
    expect(select(none, Math.random)).toBeUndefined();
  });

  it.each([
    ['the idle one', idle, { ...idle, inFlight: 1 }],
    ['the faster one', { ...idle, latencySeconds: 0.5 }, idle],
    ['the heavier one', { ...idle, weight: 2 }, idle],
    ['the one that succeeds', idle, { ...idle, successRate: 0.5 }],
    ['the heavier one although it has more to do', { ...idle, weight: 3, inFlight: 1 }, idle],
  ])('prefers %s', (_, better, worse) => {
    expect(select([worse, better], Math.random)).toBe(better);
    expect(select([better, worse], Math.random)).toBe(better);
  });

  it('draws equals evenly', () => {
    const candidates = Array.from({ length: 4 }, () => ({ ...idle }));
    const random = seeded(1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) {
      const chosen = candidates.indexOf(select(candidates, random) ?? idle);
      counts[chosen] = (counts[chosen] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2500)).toBeLessThan(125);
  });

  it('judges one without a sample by the others, neither shunning nor storming it', () => {
    const unknown: Candidate = { ...idle, latencySeconds: undefined };
    const known: Candidate = { ...idle, latencySeconds: 30 };
    const random = seeded(2);
    const taken = Array.from({ length: 200 }, () => select([unknown, known], random));
    expect(taken).toContain(unknown);
    expect(taken).toContain(known);
    expect(select([{ ...unknown, inFlight: 1 }, known], random)).toBe(known);
  });

  it('does not depend on the order of the candidates', () => {
    const known = candidate.map((each) => ({ ...each, latencySeconds: each.latencySeconds ?? 1 }));
    fc.assert(
      fc.property(fc.array(known, { minLength: 1, maxLength: 6 }), (candidates) => {
        const best = select(candidates, () => 0) ?? idle;
        const same = select([...candidates].reverse(), () => 0) ?? idle;
        expect(scoreOf(same, 1) / scoreOf(best, 1)).toBeCloseTo(1, 8);
      }),
    );
  });
});
