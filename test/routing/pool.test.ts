/** Leases, lines, and what the pool learns from how they end. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/core/errors.ts';
import type { Backend, Discovery, Lease, Pool, Target } from '../../src/core/fleet.ts';
import { createPool, type PoolSettings } from '../../src/routing/pool.ts';
import { backendOf, POOL_SETTINGS, targetOf } from '../support/fleet.ts';

const NOTHING: Discovery = { models: new Map(), version: '' };
const unreachable = new GatewayError('upstream_unavailable', { message: 'refused' });
const failed = new GatewayError('upstream_error', { message: 'failed' });
const left = new GatewayError('client_closed', { message: 'left' });
const CLAIM = { exchangeId: 'x', client: 'c', priority: 0 };

interface Setting {
  readonly pool: Pool;
  readonly targets: readonly Target[];
  readonly clock: { nowMs: number };
  /** A slot that is free now. */
  lease(tried?: readonly string[]): Lease;
  /** The same of one backend, by its number. */
  leaseOn(index: number): Lease;
  /** A slot, now or later. */
  wait(client?: string, signal?: AbortSignal): Promise<Lease>;
  inFlight(): number[];
}

function setUp(backends: readonly Backend[], settings: Partial<PoolSettings> = {}): Setting {
  const clock = { nowMs: 0 };
  const pool = createPool(backends, {
    settings: () => ({ ...POOL_SETTINGS, ...settings }),
    now: () => clock.nowMs,
    random: () => 0,
  });
  const targets = backends.map((backend) => targetOf(backend));
  function leaseAmong(among: readonly Target[], tried: readonly string[]): Lease {
    const impatient = AbortSignal.abort();
    const lease = pool.acquire(among, new Set(tried), CLAIM, () => impatient);
    if (!(lease instanceof Promise)) return lease;
    lease.catch(() => undefined);
    throw new Error('nothing is free');
  }
  return {
    pool,
    targets,
    clock,
    lease: (tried = []) => leaseAmong(targets, tried),
    leaseOn: (index) => leaseAmong(targets.slice(index, index + 1), []),
    async wait(client = 'c', signal = new AbortController().signal) {
      return pool.acquire(targets, new Set(), { ...CLAIM, client }, () => signal);
    },
    inFlight: () => pool.status().map((status) => status.inFlight),
  };
}

const nameOf = ({ target }: Lease): string => target.backend.name;

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
    const { pool, lease } = setUp([backendOf('a'), backendOf('b')]);
    const first = lease();
    const name = nameOf(first);
    first.release(unreachable);
    pool.probed(first.target.backend, undefined);
    for (let i = 0; i < 5; i++) expect(nameOf(lease())).not.toBe(name);
    pool.probed(first.target.backend, NOTHING);
    expect(Array.from({ length: 10 }, () => nameOf(lease()))).toContain(name);
  });

  it('asks one of those that are down when none is up', () => {
    const { pool, lease, targets } = setUp([backendOf('a')]);
    if (targets[0]) pool.probed(targets[0].backend, undefined);
    expect(lease().target.backend.name).toBe('a');
  });

  it('prefers the one that answers faster', () => {
    const { lease, leaseOn, clock } = setUp([backendOf('slow'), backendOf('fast')]);
    for (const [i, ms] of [1000, 100].entries()) {
      const held = leaseOn(i);
      clock.nowMs += ms;
      held.release('ok');
    }
    expect(Array.from({ length: 5 }, () => nameOf(lease()))).toEqual(Array(5).fill('fast'));
  });

  it('learns nothing of a backend’s speed from failures and from clients that left', () => {
    const { lease, leaseOn, clock } = setUp([backendOf('a'), backendOf('b')]);
    for (const i of [0, 1]) {
      const served = leaseOn(i);
      clock.nowMs += 1000;
      served.release('ok');
    }
    leaseOn(0).release(left); // in no time at all
    expect([lease(), lease()].map(nameOf).sort()).toEqual(['a', 'b']);
  });

  it('shuns one that fails, and forgets it in time', () => {
    const { lease, leaseOn, clock } = setUp([backendOf('a'), backendOf('b')]);
    for (let i = 0; i < 4; i++) leaseOn(0).release(failed);
    const held = Array.from({ length: 2 }, () => lease());
    expect(held.map(nameOf)).toEqual(Array(2).fill('b'));
    for (const each of held) each.release(left);
    clock.nowMs += 30 * 60_000;
    expect([lease(), lease()].map(nameOf).sort()).toEqual(['a', 'b']);
  });

  it('is not confused by a clock that stands still or goes back', () => {
    const { lease, clock } = setUp([backendOf('a'), backendOf('b')]);
    const first = lease();
    clock.nowMs -= 1000;
    first.release('ok');
    expect(() => lease()).not.toThrow();
  });
});

describe('the circuit of a backend', () => {
  const openA = ({ leaseOn }: Setting): void => {
    for (let i = 0; i < 5; i++) leaseOn(0).release(failed);
  };

  it('opens with failures: all others take its share, until one exchange may try', () => {
    const setting = setUp([backendOf('a'), backendOf('b', { weight: 0.001 })]);
    const { lease, pool, clock } = setting;
    openA(setting);
    expect(pool.status()[0]?.circuit).toBe('open');
    expect(Array.from({ length: 5 }, () => nameOf(lease()))).toEqual(Array(5).fill('b'));
    clock.nowMs += 5000;
    const trial = lease();
    expect(nameOf(trial)).toBe('a');
    expect(pool.status()[0]?.circuit).toBe('half-open');
    expect(Array.from({ length: 5 }, () => nameOf(lease()))).toEqual(Array(5).fill('b'));
    trial.answered();
    expect(pool.status()[0]?.circuit).toBe('closed');
    expect(nameOf(lease())).toBe('a');
  });

  it('opens again when the trial fails, and lets the next one try when its client left', () => {
    const setting = setUp([backendOf('a'), backendOf('b')]);
    const { leaseOn, pool, clock } = setting;
    openA(setting);
    clock.nowMs += 5000;
    leaseOn(0).release(failed);
    expect(pool.status()[0]?.circuit).toBe('open');
    clock.nowMs += 5000;
    leaseOn(0).release(left);
    const next = leaseOn(0);
    expect(pool.status()[0]?.circuit).toBe('half-open');
    next.release('ok');
    expect(pool.status()[0]?.circuit).toBe('closed');
  });

  it('is tried by the next exchange when its time is over, however bad its record', () => {
    const setting = setUp([backendOf('a', { weight: 0.001 }), backendOf('b')]);
    const { lease, clock } = setting;
    openA(setting);
    clock.nowMs += 5000;
    expect([lease(), lease()].map(nameOf)).toEqual(['a', 'b']);
  });

  it('lets one exchange at a time try the least bad backend when all are open', () => {
    const setting = setUp([backendOf('a')]);
    const { lease } = setting;
    openA(setting);
    const trial = lease();
    expect(() => lease()).toThrow(expect.objectContaining({ reason: 'no_backend_available' }));
    trial.release(failed);
    expect(nameOf(lease())).toBe('a');
  });

  it('lets one exchange try when a probe finds the backend up again', () => {
    const { pool, targets, lease } = setUp([backendOf('a'), backendOf('b', { weight: 0.001 })]);
    if (!targets[0]) throw new Error('no target');
    pool.probed(targets[0].backend, undefined);
    expect(nameOf(lease())).toBe('b');
    pool.probed(targets[0].backend, NOTHING);
    expect([lease(), lease()].map(nameOf)).toEqual(['a', 'b']);
  });

  it('gives a backend that came back its share by degrees', () => {
    const setting = setUp([backendOf('a'), backendOf('b')], {
      circuit: { ...POOL_SETTINGS.circuit, rampMs: 10_000 },
    });
    const { leaseOn, lease, clock } = setting;
    openA(setting);
    clock.nowMs += 5000;
    leaseOn(0).release('ok');
    const names = Array.from({ length: 30 }, () => nameOf(lease()));
    expect(names.filter((name) => name === 'a')).toHaveLength(1);
  });
});

describe('a backend that asks to be left alone', () => {
  const busy = (
    retryAfterSeconds: number,
    reason: 'upstream_rate_limited' | 'server_overloaded',
  ): GatewayError => new GatewayError(reason, { message: 'busy', retryAfterSeconds });

  it('gets nothing for that model until its time is over', () => {
    const { lease, leaseOn, clock } = setUp([backendOf('a', { weight: 100 }), backendOf('b')]);
    leaseOn(0).release(busy(7, 'server_overloaded'));
    expect(nameOf(lease())).toBe('b');
    clock.nowMs += 7000;
    expect(nameOf(lease())).toBe('a');
  });

  it('is not waited for longer than the setting allows', () => {
    const { lease, leaseOn, clock } = setUp([backendOf('a', { weight: 100 }), backendOf('b')]);
    leaseOn(0).release(busy(86_400, 'server_overloaded'));
    clock.nowMs += 60_000;
    expect(nameOf(lease())).toBe('a');
  });

  it('is told to the client with the time that is left, when there is no other', () => {
    const { lease, clock } = setUp([backendOf('a')]);
    lease().release(busy(7, 'upstream_rate_limited'));
    clock.nowMs += 2500;
    expect(() => lease()).toThrow(
      expect.objectContaining({ reason: 'upstream_rate_limited', status: 429, retryAfterSeconds: 5 }),
    );
  });
});

describe('a line', () => {
  const one = { maxConcurrency: 1, queue: 2 };

  it('gives each slot that comes free to the next client', async () => {
    const { lease, wait, pool } = setUp([backendOf('a', { maxConcurrency: 1, queue: 3 })]);
    const held = lease();
    const order: string[] = [];
    const waiting = ['greedy', 'greedy', 'modest'].map(async (client, i) => {
      const own = await wait(client);
      order.push(`${client} ${String(i)}`);
      own.release('ok');
    });
    expect(pool.status()[0]).toMatchObject({ inFlight: 1, queued: 3 });
    held.release('ok');
    await Promise.all(waiting);
    expect(order).toEqual(['greedy 0', 'modest 2', 'greedy 1']);
    expect(pool.status()[0]).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it('has its bound, and nobody is overtaken by who comes later', async () => {
    const { lease, wait } = setUp([backendOf('a', one)]);
    const held = lease();
    const first = wait();
    void wait();
    await expect(wait()).rejects.toMatchObject({ reason: 'server_overloaded', retryAfterSeconds: 1 });
    held.release('ok');
    expect(() => lease()).toThrow(); // the slot is the first one's
    expect(nameOf(await first)).toBe('a');
  });

  it('is left by who has waited long enough, and by who is gone', async () => {
    const { lease, wait, pool } = setUp([backendOf('a', one)]);
    lease();
    const leaving = new AbortController();
    const tired = new AbortController();
    const both = [wait('c', leaving.signal), wait('c', tired.signal)];
    leaving.abort(left);
    tired.abort();
    await expect(both[0]).rejects.toBe(left);
    await expect(both[1]).rejects.toMatchObject({ reason: 'server_overloaded' });
    expect(pool.status()[0]?.queued).toBe(0);
  });

  it('takes the first slot that comes free on any of its backends', async () => {
    const { lease, wait, pool } = setUp([backendOf('a', one), backendOf('b', one)]);
    const held = [lease(), lease()];
    const waiting = wait();
    expect(pool.status().map(({ queued }) => queued)).toEqual([1, 1]);
    held.find((each) => nameOf(each) === 'b')?.release('ok');
    expect(nameOf(await waiting)).toBe('b');
    expect(pool.status().map(({ queued }) => queued)).toEqual([0, 0]);
  });

  it('is dissolved when its backend is found to be down', async () => {
    const { lease, wait, pool, targets } = setUp([backendOf('a', one)]);
    lease();
    const waiting = wait();
    if (targets[0]) pool.probed(targets[0].backend, undefined);
    await expect(waiting).rejects.toMatchObject({ reason: 'no_backend_available' });
  });

  it('waits for the verdict of a trial', async () => {
    const { leaseOn, wait, clock } = setUp([backendOf('a', { queue: 2 })]);
    for (let i = 0; i < 5; i++) leaseOn(0).release(failed);
    clock.nowMs += 5000;
    const trial = leaseOn(0);
    const waiting = [wait(), wait()];
    trial.answered();
    expect((await Promise.all(waiting)).map(nameOf)).toEqual(['a', 'a']);
  });

  it('is not dissolved when a trial ends without a verdict: the first in it tries', async () => {
    const { leaseOn, wait, clock, pool } = setUp([backendOf('a', { queue: 2 })]);
    for (let i = 0; i < 5; i++) leaseOn(0).release(failed);
    clock.nowMs += 5000;
    const trial = leaseOn(0);
    const [first, second] = [wait(), wait()];
    trial.release(left);
    const next = await first;
    expect(pool.status()[0]).toMatchObject({ circuit: 'half-open', inFlight: 1, queued: 1 });
    next.answered();
    expect(nameOf(await second)).toBe('a');
  });

  it('also forms where the process has as many as it may', async () => {
    const { lease, wait } = setUp([backendOf('a', { queue: 1 }), backendOf('b', { queue: 1 })], {
      maxInFlight: 2,
    });
    const held = [lease(), lease()];
    const waiting = wait();
    held[0]?.release('ok');
    await waiting;
  });
});

describe('a new configuration', () => {
  it('keeps what is known of backends that stay, and lets leases on others run out', () => {
    const { pool, lease, leaseOn } = setUp([backendOf('a', { weight: 100 }), backendOf('gone')]);
    const kept = lease();
    const running = leaseOn(1);
    pool.configure([backendOf('a', { maxConcurrency: 1 }), backendOf('new')]);
    expect(pool.status()).toMatchObject([
      { backend: { name: 'a', maxConcurrency: 1 }, inFlight: 1 },
      { backend: { name: 'new' }, inFlight: 0 },
    ]);
    expect(() => leaseOn(1)).toThrow(expect.objectContaining({ reason: 'no_backend_available' }));
    expect(pool.inFlight()).toBe(2);
    running.release('ok');
    kept.release('ok');
    expect(pool.inFlight()).toBe(0);
  });

  it('takes a backend that has moved for a new one', () => {
    const { pool, leaseOn } = setUp([backendOf('a')]);
    for (let i = 0; i < 5; i++) leaseOn(0).release(failed);
    pool.configure([backendOf('a', { url: 'http://elsewhere' })]);
    expect(pool.status()[0]?.circuit).toBe('closed');
    // A request from before asks for a server that is no longer this backend.
    expect(() => leaseOn(0)).toThrow(expect.objectContaining({ reason: 'no_backend_available' }));
  });

  it('turns away who waits for a backend that is gone', async () => {
    const { pool, lease, wait } = setUp([backendOf('a', { maxConcurrency: 1, queue: 1 })]);
    lease();
    const waiting = wait();
    pool.configure([backendOf('b')]);
    await expect(waiting).rejects.toMatchObject({ reason: 'no_backend_available' });
  });
});
