/** Backends that the operator drained, and what the pool says of its next choice. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/core/errors.ts';
import type { Backend, Discovery, Lease, Pool, Target } from '../../src/core/fleet.ts';
import type { Outlook } from '../../src/core/outlook.ts';
import { createPool, type PoolSettings } from '../../src/routing/pool.ts';
import { backendOf, POOL_SETTINGS, targetOf } from '../support/fleet.ts';

const NOTHING: Discovery = { models: new Map(), version: '' };
const failed = new GatewayError('upstream_error', { message: 'failed' });
const busy = new GatewayError('server_overloaded', { message: 'busy', retryAfterSeconds: 5 });
const CLAIM = { exchangeId: 'x', client: 'c', priority: 0 };

interface Setting {
  readonly pool: Pool;
  readonly targets: readonly Target[];
  readonly clock: { nowMs: number };
  /** A slot, or a place in a line. */
  acquire(index?: number): Lease | Promise<Lease>;
  take(index?: number): Lease;
}

function setUp(backends: readonly Backend[], settings: Partial<PoolSettings> = {}): Setting {
  const clock = { nowMs: 0 };
  const pool = createPool(backends, {
    settings: () => ({ ...POOL_SETTINGS, ...settings }),
    now: () => clock.nowMs,
    random: () => 0,
  });
  const targets = backends.map((backend) => targetOf(backend));
  function acquire(index?: number): Lease | Promise<Lease> {
    const among = index === undefined ? targets : targets.slice(index, index + 1);
    const lease = pool.acquire(among, new Set(), CLAIM, () => new AbortController().signal);
    // Who is in line when the backend goes down is told; most tests do not listen.
    if (lease instanceof Promise) lease.catch(() => undefined);
    return lease;
  }
  return {
    pool,
    targets,
    clock,
    acquire,
    take(index) {
      const lease = acquire(index);
      if (lease instanceof Promise) throw new Error('nothing is free');
      return lease;
    },
  };
}

const nameOf = ({ target }: Lease): string => target.backend.name;

describe('a drained backend', () => {
  it('takes nothing new, keeps what it has, and comes back', () => {
    const { pool, take } = setUp([backendOf('a', { weight: 100 }), backendOf('b')]);
    const before = take();
    pool.drain('a', true);
    expect([nameOf(before), nameOf(take()), nameOf(take())]).toEqual(['a', 'b', 'b']);
    expect(pool.status().map(({ isDrained, inFlight }) => [isDrained, inFlight])).toEqual([
      [true, 1],
      [false, 2],
    ]);
    before.release('ok');
    pool.drain('a', false);
    expect(nameOf(take())).toBe('a');
  });

  it('stays drained through a reload, also as another server of the same name', () => {
    const { pool } = setUp([backendOf('a'), backendOf('b')]);
    pool.drain('a', true);
    pool.configure([backendOf('a', { weight: 2 }), backendOf('b')]);
    pool.configure([backendOf('b')]);
    pool.configure([backendOf('a', { url: 'http://elsewhere' }), backendOf('b')]);
    expect(pool.status().map(({ isDrained }) => isDrained)).toEqual([true, false]);
  });

  it('serves those who wait in its line already, and nobody joins them', async () => {
    const { pool, take, acquire } = setUp([backendOf('a', { maxConcurrency: 1, queue: 5 })]);
    const first = take();
    const waiting = acquire();
    pool.drain('a', true);
    expect(() => acquire()).toThrow(expect.objectContaining({ reason: 'no_backend_available' }));
    first.release('ok');
    expect(nameOf(await waiting)).toBe('a');
  });

  it('is meant with all the others that were found behind the same name', () => {
    const { pool, take } = setUp([
      backendOf('pool@10.0.0.1', { group: 'pool' }),
      backendOf('pool@10.0.0.2', { group: 'pool' }),
      backendOf('c', { weight: 0.001 }),
    ]);
    pool.drain('pool', true);
    expect(nameOf(take())).toBe('c');
    pool.drain('pool', false);
    pool.drain('pool@10.0.0.1', true);
    expect(nameOf(take())).toBe('pool@10.0.0.2');
  });
});

const of = (outlook: Outlook): unknown[] =>
  outlook.prospects.map(({ target, obstacle, isBest, isWaitedFor, isLastResort }) => [
    target.backend.name,
    obstacle ?? 'none',
    ...(isBest ? ['best'] : []),
    ...(isWaitedFor ? ['waited for'] : []),
    ...(isLastResort ? ['last resort'] : []),
  ]);

describe('the outlook', () => {
  it('names the best, the terms of its score, and why each of the others is none', () => {
    const { pool, targets, take, clock } = setUp([
      backendOf('slow', { maxConcurrency: 8 }),
      backendOf('fast'),
      backendOf('drained'),
      backendOf('off', { weight: 0 }),
      backendOf('full', { maxConcurrency: 1 }),
      backendOf('cold'),
      backendOf('down'),
      backendOf('broken'),
    ]);
    const slow = take(0);
    const fast = take(1);
    clock.nowMs = 500;
    fast.release('ok');
    clock.nowMs = 2000;
    slow.release('ok');
    pool.drain('drained', true);
    take(4);
    take(5).release(busy);
    pool.probed(backendOf('down'), undefined);
    for (let i = 0; i < 5; i++) take(7).release(failed);

    const outlook = pool.explain(targets);
    expect(of(outlook)).toEqual([
      ['slow', 'none'],
      ['fast', 'none', 'best'],
      ['drained', 'drained'],
      ['off', 'weight_0'],
      ['full', 'busy'],
      ['cold', 'cooling_down'],
      ['down', 'down'],
      ['broken', 'circuit_open'],
    ]);
    expect(outlook.refusal).toBeUndefined();
    expect(outlook.prospects[1]?.score).toEqual({
      value: 2,
      weight: 1,
      successRate: 1,
      latencySeconds: 0.5,
      isLatencyKnown: true,
      inFlight: 0,
    });
    expect(outlook.prospects[2]?.score).toBeUndefined();
  });

  it('takes nothing', () => {
    const { pool, targets } = setUp([backendOf('a', { maxConcurrency: 1 })]);
    const before = pool.status();
    for (let i = 0; i < 3; i++) expect(of(pool.explain(targets))).toEqual([['a', 'none', 'best']]);
    expect(pool.status()).toEqual(before);
  });

  it('names the lines that a request would wait in, or what it would hear', () => {
    const one = { maxConcurrency: 1 };
    const { pool, targets, take } = setUp([backendOf('a', { ...one, queue: 1 }), backendOf('b', one)]);
    take(0);
    take(1);
    expect(of(pool.explain(targets))).toEqual([
      ['a', 'busy', 'waited for'],
      ['b', 'busy'],
    ]);
    expect(pool.explain(targets.slice(1)).refusal?.reason).toBe('server_overloaded');
    expect(pool.explain([]).refusal?.reason).toBe('no_backend_available');
  });

  it('tells of the last resort when nobody is well', () => {
    const { pool, targets } = setUp([backendOf('a'), backendOf('b')]);
    pool.drain('b', true);
    pool.probed(backendOf('a'), undefined);
    expect(of(pool.explain(targets))).toEqual([
      ['a', 'down', 'best', 'last resort'],
      ['b', 'drained'],
    ]);
  });

  it('agrees with what a request then meets, whatever has happened before', () => {
    const names = ['a', 'b', 'c'];
    const index = fc.nat(2);
    const step = fc.oneof(
      fc.record({ do: fc.constant('take' as const), index }),
      fc.record({ do: fc.constant('release' as const), index: fc.nat(9), as: fc.nat(2) }),
      fc.record({ do: fc.constant('drain' as const), index, is: fc.boolean() }),
      fc.record({ do: fc.constant('probe' as const), index, is: fc.boolean() }),
      fc.record({ do: fc.constant('wait' as const), index: fc.nat(20_000) }),
    );
    const backends = names.map((name, i) => backendOf(name, { weight: i + 1, maxConcurrency: 2, queue: i }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { pool, targets, take, acquire, clock } = setUp(backends, { maxInFlight: 5 });
        const leases: Lease[] = [];
        for (const each of steps) {
          const backend = backends[each.index % backends.length] ?? backendOf('a');
          if (each.do === 'drain') pool.drain(backend.name, each.is);
          if (each.do === 'probe') pool.probed(backend, each.is ? NOTHING : undefined);
          if (each.do === 'wait') clock.nowMs += each.index;
          if (each.do === 'release')
            leases[each.index]?.release((['ok', failed, busy] as const)[each.as] ?? 'ok');
          if (each.do === 'take') attempt(() => leases.push(take(each.index)));
        }
        const { prospects, refusal } = pool.explain(targets);
        const met = attempt(acquire);
        if (met instanceof GatewayError) {
          expect(met.reason).toBe(refusal?.reason);
        } else if (met instanceof Promise) {
          expect(prospects.filter(({ isWaitedFor }) => isWaitedFor).length).toBeGreaterThan(0);
          expect(prospects.filter(({ isBest }) => isBest)).toEqual([]);
        } else if (met) {
          const best = prospects.filter(({ isBest }) => isBest).map(({ target }) => target.backend.name);
          expect(best).toContain(nameOf(met));
        }
      }),
    );
  });
});

/** The result, or the GatewayError that was thrown. */
function attempt<T>(work: () => T): T | GatewayError | undefined {
  try {
    return work();
  } catch (error) {
    return error instanceof GatewayError ? error : undefined;
  }
}
