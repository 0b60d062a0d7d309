/** The backends with what is known of their state, and the leases on them: the only mutable state of routing. */

import { GatewayError } from '../core/errors.ts';
import type { Backend, Claim, Lease, Pool, Target } from '../core/fleet.ts';
import type { Now } from '../core/exchange.ts';
import { onRecovered, onSuccess, onTrial, type CircuitSettings } from './circuit.ts';
import {
  allBusy,
  contendersOf,
  hasRoom,
  linesFor,
  noneLeft,
  prospectsOf,
  refusalOf,
  toContenders,
  type Choice,
  type Moment,
} from './choose.ts';
import { select } from './select.ts';
import { createState, isHealthy, isOpenFor, learn, type State, type Waiter } from './state.ts';

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

export function createPool(backends: readonly Backend[], { settings, now, random }: PoolOptions): Pool {
  let states = new Map<string, State>();
  let inFlight = 0;
  /** Names that the operator gave; they outlive the backends. */
  const drained = new Set<string>();
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

  /** The backends of these targets as they are now; one that is gone is none. */
  function choicesOf(targets: readonly Target[], tried: ReadonlySet<string>): Choice[] {
    return targets.flatMap((target) => {
      const state = states.get(target.backend.name);
      const isThere = state && !tried.has(state.backend.name);
      return isThere && isSameServer(state.backend, target.backend) ? { target, state } : [];
    });
  }

  /** By its own name, or by that of the configured one behind which it was found. */
  function isDrained({ name, group }: Backend): boolean {
    return drained.has(name) || drained.has(group);
  }

  function moment(): Moment {
    const { circuit, maxInFlight } = settings();
    return { nowMs: now(), circuit, hasRoom: inFlight < maxInFlight, isDrained };
  }

  function choose(choices: readonly Choice[]): Choice | undefined {
    const at = moment();
    return select(toContenders(contendersOf(choices, at), at), random);
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
    while (state.line.length > 0 && hasRoom(state, moment()) && isOpenFor(state, now())) {
      state.line.next()?.wake(state);
    }
  }

  function wakeAll(): void {
    for (const state of states.values()) wake(state);
  }

  /** Nobody knows when it will be well: those who wait for it had better be told. */
  function turnAway(state: State): void {
    for (const waiter of state.line.clear()) waiter.lose(state);
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
      const lines = linesFor(choices, moment());
      if (lines.length > 0) return join(lines, claim, wait());
      throw refusalOf(choices, moment());
    },

    explain(targets) {
      const choices = choicesOf(targets, new Set());
      const at = moment();
      const prospects = prospectsOf(choices, at);
      const isHopeless = !prospects.some(({ isBest, isWaitedFor }) => isBest || isWaitedFor);
      return { prospects, refusal: isHopeless ? refusalOf(choices, at) : undefined };
    },

    drain(name, isWanted) {
      if (isWanted) drained.add(name);
      else drained.delete(name);
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
        isDrained: isDrained(backend),
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
