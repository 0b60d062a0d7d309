/** The backends with what is known of their state, and the leases on them: the only mutable state of routing. */

import { GatewayError } from '../core/errors.ts';
import type { Backend, Claim, Lease, Pool, Target } from '../core/fleet.ts';
import type { Now } from '../core/exchange.ts';
import { onRecovered, onSuccess, onTrial, type CircuitSettings } from './circuit.ts';
import { select } from './select.ts';
import {
  cooldownOf,
  createState,
  isHealthy,
  isOpenFor,
  learn,
  toCandidate,
  type State,
  type Waiter,
} from './state.ts';

const RETRY_AFTER_SECONDS = 1;

/** What the configuration says of all backends; it may change while the pool is in use. */
export interface PoolSettings {
  readonly circuit: CircuitSettings;
  /** Leases that all backends together may hold. */
  readonly maxInFlight: number;
  /** The longest time that a backend's Retry-After is heeded. */
  readonly maxCooldownMs: number;
}

interface PoolOptions {
  readonly settings: () => PoolSettings;
  readonly now: Now;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

interface Choice {
  readonly target: Target;
  readonly state: State;
}

export function createPool(backends: readonly Backend[], { settings, now, random }: PoolOptions): Pool {
  let states = new Map<string, State>();
  let inFlight = 0;
  configure(backends);

  function configure(next: readonly Backend[]): void {
    const before = states;
    states = new Map(
      next.map((backend) => {
        const known = before.get(backend.name);
        const state = known && isSameServer(known.backend, backend) ? known : createState(backend, now());
        state.backend = backend;
        return [backend.name, state];
      }),
    );
    for (const [name, state] of before) if (states.get(name) !== state) turnAway(state);
    wakeAll();
  }

  /** The backends of these targets as they are now; one that is gone or drained is none. */
  function choicesOf(targets: readonly Target[], tried: ReadonlySet<string>): Choice[] {
    return targets.flatMap((target) => {
      const state = states.get(target.backend.name);
      const isOpen = state && !tried.has(state.backend.name) && state.backend.weight > 0;
      return isOpen && isSameServer(state.backend, target.backend) ? { target, state } : [];
    });
  }

  function hasRoom({ leases, backend }: State): boolean {
    return leases.size < backend.maxConcurrency && inFlight < settings().maxInFlight;
  }

  function choose(choices: readonly Choice[]): Choice | undefined {
    const nowMs = now();
    const free = choices.filter(
      ({ target, state }) => hasRoom(state) && !cooldownOf(state, target.upstreamModel, nowMs),
    );
    const ready = free.filter(({ state }) => isOpenFor(state, nowMs));
    // By its score, one that failed would wait for a rush of requests before it is tried again.
    const trials = ready.filter(({ state }) => !isHealthy(state));
    if (ready.length > 0) return best(trials.length > 0 ? trials : ready, nowMs);
    // None is well: the least bad one is tried rather than none, by one exchange at a time.
    if (choices.some(({ state }) => isHealthy(state))) return undefined;
    const untried = free.filter(({ state }) => state.circuit.state !== 'half-open');
    const up = untried.filter(({ state }) => state.isUp);
    return best(up.length > 0 ? up : untried, nowMs);
  }

  function best(choices: readonly Choice[], nowMs: number): Choice | undefined {
    const { circuit } = settings();
    const candidates = choices.map((choice) => ({ ...choice, ...toCandidate(choice.state, nowMs, circuit) }));
    return select(candidates, random);
  }

  function take({ target, state }: Choice, { exchangeId }: Claim): Lease {
    const key = Symbol(exchangeId);
    const startedMs = now();
    let isTrial = !isHealthy(state);
    if (isTrial) state.circuit = onTrial();
    state.leases.set(key, exchangeId);
    inFlight++;
    return {
      target,
      answered() {
        if (!isTrial) return;
        isTrial = false;
        state.isUp = true;
        state.circuit = onSuccess(state.circuit, true, now(), settings().circuit);
        wake(state);
      },
      release(outcome) {
        if (!state.leases.delete(key)) return;
        inFlight--;
        const { circuit, maxCooldownMs } = settings();
        if (isTrial && outcome === 'ok') state.isUp = true;
        learn(state, { outcome, target, startedMs, isTrial, maxCooldownMs }, now(), circuit);
        // A trial that its client left has no verdict: the next in line may try.
        if (state.circuit.state === 'open' && !isOpenFor(state, now())) turnAway(state);
        wake(state);
        // Room in the process is room for every backend.
        if (Number.isFinite(settings().maxInFlight)) wakeAll();
      },
    };
  }

  function wake(state: State): void {
    while (state.line.length > 0 && hasRoom(state) && isOpenFor(state, now())) state.line.next()?.wake(state);
  }

  function wakeAll(): void {
    for (const state of states.values()) wake(state);
  }

  /** Nobody knows when it will be well: those who wait for it had better be told. */
  function turnAway(state: State): void {
    for (const waiter of state.line.clear()) waiter.lose(state);
  }

  /** Busy ones, and those on trial, have room soon; others do not. */
  function isWorthWaiting({ target, state }: Choice): boolean {
    const { line, backend, isUp, circuit } = state;
    return (
      isUp &&
      circuit.state !== 'open' &&
      !cooldownOf(state, target.upstreamModel, now()) &&
      line.lengthOf(target.upstreamModel) < backend.queue
    );
  }

  function join(choices: readonly Choice[], claim: Claim, signal: AbortSignal): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const lines = new Map(choices.map((choice) => [choice.state, choice]));

      function leave(): void {
        for (const { line } of lines.keys()) line.remove(waiter);
        signal.removeEventListener('abort', giveUp);
      }
      function giveUp(): void {
        leave();
        // Without a failure of its own the signal says that it took too long.
        reject(signal.reason instanceof GatewayError ? signal.reason : allBusy());
      }
      const waiter: Waiter = {
        wake(state) {
          const choice = lines.get(state);
          leave();
          if (choice) resolve(take(choice, claim));
        },
        lose(state) {
          lines.delete(state);
          if (lines.size > 0) return;
          leave();
          reject(noneLeft());
        },
      };
      const { client, priority } = claim;
      for (const [{ line }, { target }] of lines) {
        line.add({ model: target.upstreamModel, client, priority }, waiter);
      }
      signal.addEventListener('abort', giveUp);
      if (signal.aborted) giveUp();
    });
  }

  return {
    configure,

    acquire(targets, tried, claim, wait) {
      const choices = choicesOf(targets, tried);
      const chosen = choose(choices);
      if (chosen) return take(chosen, claim);
      const lines = choices.filter(isWorthWaiting);
      if (lines.length > 0) return join(lines, claim, wait());
      throw whyNot(choices, now());
    },

    probed(backend, discovery) {
      const state = states.get(backend.name);
      if (!state || !isSameServer(state.backend, backend)) return;
      if (discovery && !state.isUp) state.circuit = onRecovered(state.circuit, now());
      state.isUp = discovery !== undefined;
      state.discovery = discovery ?? state.discovery;
      if (state.isUp) wake(state);
      else turnAway(state);
    },

    status: () =>
      Array.from(states.values(), ({ backend, isUp, circuit, leases, line, discovery }) => ({
        backend,
        isUp,
        circuit: circuit.state,
        inFlight: leases.size,
        queued: line.length,
        discovery,
      })),

    inFlight: () => inFlight,
  };
}

/** What is known of a server does not hold for another one that has taken its name. */
function isSameServer(a: Backend, b: Backend): boolean {
  return a.url === b.url && a.kind === b.kind;
}

function whyNot(choices: readonly Choice[], nowMs: number): GatewayError {
  const cooldowns = choices.flatMap(
    ({ target, state }) => cooldownOf(state, target.upstreamModel, nowMs) ?? [],
  );
  const [first] = cooldowns;
  if (first && cooldowns.length === choices.length) {
    const untilMs = Math.min(...cooldowns.map((each) => each.untilMs));
    return new GatewayError(first.reason, {
      message: 'The backends of this model asked to be left alone for a while. Try again later.',
      retryAfterSeconds: Math.max(1, Math.ceil((untilMs - nowMs) / 1000)),
    });
  }
  return choices.some(({ state }) => isHealthy(state)) ? allBusy() : noneLeft();
}

function allBusy(): GatewayError {
  return new GatewayError('server_overloaded', {
    message: 'All backends of this model are busy. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

function noneLeft(): GatewayError {
  return new GatewayError('no_backend_available', {
    message: 'No backend can serve this model now. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
