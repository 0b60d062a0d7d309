/** What the pool knows of one backend, and what it learns from how exchanges end. */

import type { GatewayError } from '../core/errors.ts';
import type { Backend, Discovery, Target } from '../core/fleet.ts';
import {
  closedCircuit,
  mayTry,
  onAbandoned,
  onFailure,
  onSuccess,
  rampShare,
  tripped,
  type Circuit,
  type CircuitSettings,
} from './circuit.ts';
import { createLine, type Line } from './line.ts';
import type { Candidate } from './select.ts';

/** Weight of the newest sample in the moving average of latency. */
const LATENCY_ALPHA = 0.2;
/** Successes and failures lose half their weight in this time. */
const HALF_LIFE_MS = 60_000;
/** Counted as successes in advance, so that one failure is not a catastrophe. */
const PRIOR_SUCCESSES = 2;

/** A model of a backend that asked to be left alone. */
interface Cooldown {
  readonly untilMs: number;
  readonly reason: 'upstream_rate_limited' | 'server_overloaded';
}

export interface State {
  /** Replaced when the configuration is. */
  backend: Backend;
  /** By lease: a count kept by hand drifts, a set cannot. */
  readonly leases: Map<symbol, string>;
  readonly line: Line<Waiter>;
  isUp: boolean;
  discovery: Discovery | undefined;
  circuit: Circuit;
  /** By upstream model. */
  readonly cooldowns: Map<string, Cooldown>;
  latencySeconds: number | undefined;
  successes: number;
  failures: number;
  decayedAtMs: number;
}

/** A request that waits for a slot of one or several backends. */
export interface Waiter {
  /** Takes a slot of this backend, which has one. */
  wake(state: State): void;
  /** No slot will come free here. */
  lose(state: State): void;
}

export function createState(backend: Backend, nowMs: number): State {
  return {
    backend,
    leases: new Map(),
    line: createLine(),
    // Until a probe says otherwise: the first request need not wait for it.
    isUp: true,
    discovery: undefined,
    circuit: closedCircuit(nowMs),
    cooldowns: new Map(),
    latencySeconds: undefined,
    successes: 0,
    failures: 0,
    decayedAtMs: nowMs,
  };
}

/** Up and closed: others than a trial may come. */
export function isHealthy({ isUp, circuit }: State): boolean {
  return isUp && circuit.state === 'closed';
}

/** One more exchange may come now, be it as a trial. */
export function isOpenFor(state: State, nowMs: number): boolean {
  return state.isUp && mayTry(state.circuit, nowMs);
}

/** The cooldown that holds for a model; undefined when none does. */
export function cooldownOf({ cooldowns }: State, model: string, nowMs: number): Cooldown | undefined {
  const cooldown = cooldowns.get(model);
  return cooldown && cooldown.untilMs > nowMs ? cooldown : undefined;
}

export function toCandidate(state: State, nowMs: number, settings: CircuitSettings): Candidate {
  decay(state, nowMs);
  const { backend, leases, circuit, latencySeconds, successes, failures } = state;
  return {
    weight: backend.weight * rampShare(circuit, nowMs, settings),
    inFlight: leases.size,
    latencySeconds,
    successRate: (successes + PRIOR_SUCCESSES) / (successes + failures + PRIOR_SUCCESSES),
  };
}

/** One exchange that has ended. */
export interface Ending {
  readonly outcome: 'ok' | GatewayError;
  readonly target: Target;
  readonly startedMs: number;
  /** It was a trial, and the backend has not begun to answer. */
  readonly isTrial: boolean;
  readonly maxCooldownMs: number;
}

export function learn(state: State, ending: Ending, nowMs: number, settings: CircuitSettings): void {
  const { outcome, isTrial, startedMs } = ending;
  decay(state, nowMs);
  if (outcome === 'ok') {
    state.successes++;
    state.circuit = onSuccess(state.circuit, isTrial, nowMs, settings);
    // Only a success tells how long the backend takes; a refusal is fast.
    const sample = Math.max(0, nowMs - startedMs) / 1000;
    const average = state.latencySeconds ?? sample;
    state.latencySeconds = average + LATENCY_ALPHA * (sample - average);
  } else if (outcome.countsAgainstBackend) {
    state.failures++;
    const isGone = outcome.reason === 'upstream_unavailable' && state.circuit.state === 'closed';
    state.circuit = isGone ? tripped(nowMs, settings) : onFailure(state.circuit, isTrial, nowMs, settings);
  } else {
    if (isTrial) state.circuit = onAbandoned(state.circuit, nowMs);
    coolDown(state, ending, outcome, nowMs);
  }
}

/** `Retry-After` of a busy backend: until then it is not asked for that model. */
function coolDown(
  { cooldowns }: State,
  { target, maxCooldownMs }: Ending,
  { reason, retryAfterSeconds }: GatewayError,
  nowMs: number,
): void {
  if (reason !== 'upstream_rate_limited' && reason !== 'server_overloaded') return;
  if (retryAfterSeconds === undefined) return;
  for (const [model, { untilMs }] of cooldowns) if (untilMs <= nowMs) cooldowns.delete(model);
  const untilMs = nowMs + Math.min(retryAfterSeconds * 1000, maxCooldownMs);
  cooldowns.set(target.upstreamModel, { untilMs, reason });
}

function decay(state: State, nowMs: number): void {
  const factor = 0.5 ** (Math.max(0, nowMs - state.decayedAtMs) / HALF_LIFE_MS);
  state.successes *= factor;
  state.failures *= factor;
  state.decayedAtMs = nowMs;
}
