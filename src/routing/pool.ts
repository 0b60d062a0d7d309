/** The backends with what is known of their state, and the leases on them: the only mutable state of routing. */

import { GatewayError } from '../core/errors.ts';
import type { Now } from '../core/exchange.ts';
import type { Backend, Discovery, Lease, Pool, Target } from '../core/fleet.ts';
import { select, type Candidate } from './select.ts';

/** Weight of the newest sample in the moving average of latency. */
const LATENCY_ALPHA = 0.2;
/** Successes and failures lose half their weight in this time. */
const HALF_LIFE_MS = 60_000;
/** Counted as successes in advance, so that one failure is not a catastrophe. */
const PRIOR_SUCCESSES = 2;
const RETRY_AFTER_SECONDS = 1;

interface State {
  readonly backend: Backend;
  /** By lease: a count kept by hand drifts, a set cannot. */
  readonly leases: Map<symbol, string>;
  /** In order of arrival; one that waits for several backends stands in the line of each. */
  readonly waiters: Set<Waiter>;
  isUp: boolean;
  discovery: Discovery | undefined;
  latencySeconds: number | undefined;
  successes: number;
  failures: number;
  decayedAtMs: number;
}

interface Waiter {
  /** Takes a slot of this backend, which has one. */
  wake(state: State): void;
}

interface PoolOptions {
  readonly now: Now;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

export function createPool(backends: readonly Backend[], { now, random }: PoolOptions): Pool {
  const states = new Map(backends.map((backend) => [backend.name, createState(backend, now())]));

  function stateOf(backend: Backend): State {
    const state = states.get(backend.name);
    if (!state) throw new TypeError(`not a backend of this pool: ${backend.name}`);
    return state;
  }

  function take(target: Target, state: State, exchangeId: string): Lease {
    const key = Symbol(exchangeId);
    const startedMs = now();
    state.leases.set(key, exchangeId);
    return {
      target,
      release(outcome) {
        if (!state.leases.delete(key)) return;
        learn(state, outcome, startedMs, now());
        const [first] = state.waiters;
        if (first && hasRoom(state)) first.wake(state);
      },
    };
  }

  function choicesOf(targets: readonly Target[], tried: ReadonlySet<string>): Choice[] {
    return targets
      .filter(({ backend }) => !tried.has(backend.name) && backend.weight > 0)
      .map((target) => ({ target, state: stateOf(target.backend) }));
  }

  return {
    lease(targets, tried, exchangeId) {
      const open = choicesOf(targets, tried);
      const free = open.filter(({ state }) => hasRoom(state));
      // When all seem down, one of them is asked all the same: it may be back before its probe.
      const up = free.filter(({ state }) => state.isUp);
      const candidates = (up.length > 0 ? up : free).map((choice) => ({
        ...choice,
        ...toCandidate(choice.state, now()),
      }));
      const chosen = select(candidates, random);
      if (chosen) return take(chosen.target, chosen.state, exchangeId);
      throw open.length > 0
        ? allBusy()
        : new GatewayError('no_backend_available', {
            message: 'No backend can serve this model now. Try again soon.',
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          });
    },

    queue(targets, tried, exchangeId, signal) {
      const open = choicesOf(targets, tried).filter(({ state }) => state.waiters.size < state.backend.queue);
      if (open.length === 0) return Promise.reject(allBusy());
      return new Promise((resolve, reject) => {
        function leave(): void {
          for (const { state } of open) state.waiters.delete(waiter);
          signal.removeEventListener('abort', giveUp);
        }
        function giveUp(): void {
          leave();
          // Without a failure of its own the signal says that it took too long.
          reject(signal.reason instanceof GatewayError ? signal.reason : allBusy());
        }
        const waiter: Waiter = {
          wake(state) {
            const choice = open.find((each) => each.state === state);
            if (!choice) return;
            leave();
            resolve(take(choice.target, state, exchangeId));
          },
        };
        for (const { state } of open) state.waiters.add(waiter);
        signal.addEventListener('abort', giveUp);
      });
    },

    probed(backend, discovery) {
      const state = stateOf(backend);
      state.isUp = discovery !== undefined;
      state.discovery = discovery ?? state.discovery;
    },

    status: () =>
      Array.from(states.values(), ({ backend, isUp, leases, discovery }) => ({
        backend,
        isUp,
        inFlight: leases.size,
        discovery,
      })),
  };
}

interface Choice {
  readonly target: Target;
  readonly state: State;
}

function hasRoom({ leases, backend }: State): boolean {
  return leases.size < backend.maxConcurrency;
}

function allBusy(): GatewayError {
  return new GatewayError('server_overloaded', {
    message: 'All backends of this model are busy. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

function createState(backend: Backend, nowMs: number): State {
  return {
    backend,
    leases: new Map(),
    waiters: new Set(),
    // Until a probe says otherwise: the first request need not wait for it.
    isUp: true,
    discovery: undefined,
    latencySeconds: undefined,
    successes: 0,
    failures: 0,
    decayedAtMs: nowMs,
  };
}

function toCandidate(state: State, nowMs: number): Candidate {
  decay(state, nowMs);
  const { successes, failures } = state;
  return {
    weight: state.backend.weight,
    inFlight: state.leases.size,
    latencySeconds: state.latencySeconds,
    successRate: (successes + PRIOR_SUCCESSES) / (successes + failures + PRIOR_SUCCESSES),
  };
}

/** Only a success tells how long the backend takes; a refusal is fast. */
function learn(state: State, outcome: 'ok' | GatewayError, startedMs: number, nowMs: number): void {
  decay(state, nowMs);
  if (outcome === 'ok') {
    state.successes++;
    const sample = Math.max(0, nowMs - startedMs) / 1000;
    const average = state.latencySeconds ?? sample;
    state.latencySeconds = average + LATENCY_ALPHA * (sample - average);
  } else if (outcome.countsAgainstBackend) {
    state.failures++;
    // Nobody listens there: leave it alone until a probe finds it well.
    if (outcome.reason === 'upstream_unavailable') state.isUp = false;
  }
}

function decay(state: State, nowMs: number): void {
  const factor = 0.5 ** (Math.max(0, nowMs - state.decayedAtMs) / HALF_LIFE_MS);
  state.successes *= factor;
  state.failures *= factor;
  state.decayedAtMs = nowMs;
}
