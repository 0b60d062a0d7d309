/** What several workers may do together is what one process may do. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { loadConfig } from '../src/config/load.ts';
import { hashKey } from '../src/node/hash-key.ts';
import { tlsChecks } from '../src/node/tls.ts';
import { portionOf, shareConfig, shareOf, workersOf } from '../src/shares.ts';

const FILE = `
server: { workers: auto, maxConcurrency: 7, maxConnections: 101 }
limits: { maxConcurrency: 5, queue: 3, retryBudget: { minPerSecond: 1 } }
backends:
  - { name: a, kind: ollama, url: "http://a", maxConcurrency: 3, queue: 1 }
  - { name: b, kind: vllm, url: "http://b", maxConcurrency: 0, queue: 0 }`;

const config = loadConfig({ env: {}, readFile: () => FILE, exists: () => true, hashKey, tlsChecks });

/** The sum of a number over the configurations of all workers. */
function sumOver(workers: number, pick: (own: typeof config) => number): number {
  const shares = Array.from({ length: workers }, (_, index) => pick(shareConfig(config, { index, workers })));
  return shares.reduce((sum, each) => sum + each, 0);
}

describe('the shares of the workers', () => {
  it('add up, whatever the number of either', () => {
    fc.assert(
      fc.property(fc.nat({ max: 100_000 }), fc.integer({ min: 1, max: 256 }), (limit, workers) => {
        const sum = (share: typeof shareOf): number =>
          Array.from({ length: workers }, (_, index) => share(limit, { index, workers })).reduce(
            (a, b) => a + b,
          );
        expect(sum(portionOf)).toBe(limit);
        if (limit >= workers) expect(sum(shareOf)).toBe(limit);
      }),
    );
  });

  it('add up for every limit of a configuration', () => {
    for (const workers of [2, 3]) {
      expect(sumOver(workers, ({ server }) => server.maxConcurrency)).toBe(7);
      expect(sumOver(workers, ({ server }) => server.maxConnections)).toBe(101);
      expect(sumOver(workers, ({ limits }) => limits.maxConcurrency)).toBe(5);
      expect(sumOver(workers, ({ limits }) => limits.queue)).toBe(3);
      expect(sumOver(workers, ({ limits }) => limits.retryBudget.minPerSecond)).toBe(1);
      expect(sumOver(workers, ({ backends }) => backends[0]?.maxConcurrency ?? NaN)).toBe(3);
      expect(sumOver(workers, ({ backends }) => backends[0]?.queue ?? NaN)).toBe(1);
      expect(sumOver(workers, ({ backends }) => backends[1]?.queue ?? NaN)).toBe(0);
    }
    expect(shareConfig(config, { index: 1, workers: 3 }).backends[1]?.maxConcurrency).toBe(Infinity);
  });
});

it('there are not more workers than can have a slot of every backend', () => {
  expect([workersOf(config, 2), workersOf(config, 16)]).toEqual([2, 3]);
});
