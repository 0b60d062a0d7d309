/** Leases, and what the pool learns from how they end. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/core/errors.ts';
import type { Backend, Discovery, Lease, Pool, Target } from '../../src/core/fleet.ts';
import { createPool } from '../../src/routing/pool.ts';

function backendOf(name: string, more: Partial<Backend> = {}): Backend {
  return {
    name,
    kind: 'ollama',
    url: `http://${name}`,
    headers: {},
    weight: 1,
    maxConcurrency: Infinity,
    queue: 0,
    timeouts: { connectMs: 1, firstTokenMs: 1, idleMs: 1, totalMs: 1 },
    ...more,
  };
}

const targetOf = (backend: Backend): Target => ({
  backend,
  upstreamModel: 'm',
  model: undefined,
  serverVersion: '',
  options: {},
  requestOptions: [],
  completionTemplate: false,
});

const NOTHING: Discovery = { models: new Map(), version: '' };
const unreachable = new GatewayError('upstream_unavailable', { message: 'refused' });
const failed = new GatewayError('upstream_error', { message: 'failed' });
const left = new GatewayError('client_closed', { message: 'left' });

function setUp(backends: readonly Backend[]): {
  pool: Pool;
  targets: Target[];
  clock: { nowMs: number };
  lease: (tried?: readonly string[]) => Lease;
  inFlight: () => number[];
} {
  const clock = { nowMs: 0 };
  const pool = createPool(backends, { now: () => clock.nowMs, random: () => 0 });
  const targets = backends.map(targetOf);
  return {
    pool,
    targets,
    clock,
    lease: (tried = []) => pool.lease(targets, new Set(tried), 'x'),
    inFlight: () => pool.status().map(({ inFlight }) => inFlight),
  };
}

describe('a lease', () => {
  it('counts from the moment it is taken until it is released, once', () => {
    const { lease, inFlight } = setUp([backendOf('a')]);
    const first = lease();
    const second = lease();
    expect(inFlight()).toEqual([2]);
    first.release('ok');
    first.release('ok');
    first.release(failed);
    expect(inFlight()).toEqual([1]);
    second.release(left);
    expect(inFlight()).toEqual([0]);
  });

  it('never lets the counts go below zero, and all return to zero, whatever the order of events', () => {
    const outcome = fc.constantFrom<'ok' | GatewayError>('ok', failed, unreachable, left);
    const step = fc.oneof(fc.constant('lease' as const), fc.tuple(fc.nat(), outcome));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { lease, inFlight } = setUp([backendOf('a'), backendOf('b'), backendOf('c')]);
        const leases: Lease[] = [];
        for (const each of steps) {
          if (each === 'lease') leases.push(lease());
          else leases[each[0] % Math.max(1, leases.length)]?.release(each[1]);
          expect(inFlight().every((count) => count >= 0)).toBe(true);
        }
        for (const each of leases) each.release('ok');
        expect(inFlight()).toEqual([0, 0, 0]);
      }),
    );
  });

  it('goes to another backend while the first has more to do', () => {
    const { lease } = setUp([backendOf('a'), backendOf('b')]);
    const names = [lease(), lease(), lease(), lease()].map(({ target }) => target.backend.name);
    expect(names.sort()).toEqual(['a', 'a', 'b', 'b']);
  });

  it('follows the weights', () => {
    const { lease } = setUp([backendOf('big', { weight: 3 }), backendOf('small')]);
    const names = Array.from({ length: 8 }, () => lease().target.backend.name);
    expect(names.filter((name) => name === 'big')).toHaveLength(6);
  });

  it('is not given twice to a backend that was tried, nor to one of weight 0', () => {
    const { lease } = setUp([backendOf('a'), backendOf('b'), backendOf('drained', { weight: 0 })]);
    expect(lease(['a']).target.backend.name).toBe('b');
    expect(() => lease(['a', 'b'])).toThrow(expect.objectContaining({ reason: 'no_backend_available' }));
  });

  it('is refused with a time to wait when all are at their limit', () => {
    const { lease } = setUp([backendOf('a', { maxConcurrency: 1 }), backendOf('b', { maxConcurrency: 1 })]);
    const held = [lease(), lease()];
    expect(() => lease()).toThrow(
      expect.objectContaining({ reason: 'server_overloaded', retryAfterSeconds: 1 }),
    );
    held[0]?.release('ok');
    expect(lease().target.backend.name).toBe(held[0]?.target.backend.name);
  });
});

describe('the pool', () => {
  it('leaves a backend alone that refused a connection, until a probe finds it well', () => {
    const { pool, targets, lease } = setUp([backendOf('a'), backendOf('b')]);
    const first = lease();
    const name = first.target.backend.name;
    first.release(unreachable);
    for (let i = 0; i < 5; i++) expect(lease().target.backend.name).not.toBe(name);
    pool.probed(first.target.backend, NOTHING);
    expect(
      Array.from({ length: 10 }, () => pool.lease(targets, new Set(), 'x').target.backend.name),
    ).toContain(name);
  });

  it('asks one of those that are down when none is up', () => {
    const { pool, lease, targets } = setUp([backendOf('a')]);
    if (targets[0]) pool.probed(targets[0].backend, undefined);
    expect(lease().target.backend.name).toBe('a');
  });

  it('prefers the one that answers faster', () => {
    const { pool, targets, clock } = setUp([backendOf('slow'), backendOf('fast')]);
    for (const [i, ms] of [1000, 100].entries()) {
      const lease = pool.lease(targets.slice(i, i + 1), new Set(), 'x');
      clock.nowMs += ms;
      lease.release('ok');
    }
    const names = Array.from({ length: 5 }, () => pool.lease(targets, new Set(), 'x').target.backend.name);
    expect(names).toEqual(Array(5).fill('fast'));
  });

  it('learns nothing of a backend’s speed from failures and from clients that left', () => {
    const { pool, targets, clock } = setUp([backendOf('a'), backendOf('b')]);
    const lease = (i: number): Lease => pool.lease(targets.slice(i, i + 1), new Set(), 'x');
    for (const i of [0, 1]) {
      const served = lease(i);
      clock.nowMs += 1000;
      served.release('ok');
    }
    lease(0).release(left); // in no time at all
    const next = [pool.lease(targets, new Set(), 'x'), pool.lease(targets, new Set(), 'x')];
    expect(next.map(({ target }) => target.backend.name).sort()).toEqual(['a', 'b']);
  });

  it('shuns one that fails, and forgets it in time', () => {
    const { pool, targets, clock } = setUp([backendOf('a'), backendOf('b')]);
    for (let i = 0; i < 10; i++) pool.lease(targets.slice(0, 1), new Set(), 'x').release(failed);
    const held = Array.from({ length: 4 }, () => pool.lease(targets, new Set(), 'x'));
    expect(held.map(({ target }) => target.backend.name)).toEqual(Array(4).fill('b'));
    for (const each of held) each.release(left);
    clock.nowMs += 30 * 60_000;
    const pair = [pool.lease(targets, new Set(), 'x'), pool.lease(targets, new Set(), 'x')];
    expect(pair.map(({ target }) => target.backend.name).sort()).toEqual(['a', 'b']);
  });

  it('is not confused by a clock that stands still or goes back', () => {
    const { lease, clock } = setUp([backendOf('a'), backendOf('b')]);
    const first = lease();
    clock.nowMs -= 1000;
    first.release('ok');
    expect(() => lease()).not.toThrow();
  });
});
