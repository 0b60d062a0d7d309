/** Which of several targets gets the next exchange, and why the others do not. Changes nothing. */

import { GatewayError } from '../core/errors.ts';
import type { Backend, Target } from '../core/fleet.ts';
import type { Obstacle, Prospect, Score } from '../core/outlook.ts';
import { mayTry, type CircuitSettings } from './circuit.ts';
import { latencyOf, meanLatency, rank, successOf, type Candidate } from './select.ts';
import { cooldownOf, isHealthy, toCandidate, type State } from './state.ts';

const RETRY_AFTER_SECONDS = 1;

/** A target with what is known of its backend. */
export interface Choice {
  readonly target: Target;
  readonly state: State;
}

/** What all backends have in common at this moment. */
export interface Moment {
  readonly nowMs: number;
  readonly circuit: CircuitSettings;
  /** The process may hold one more lease. */
  readonly hasRoom: boolean;
  readonly isDrained: (backend: Backend) => boolean;
}

/** Those among which the score decides; [] when all must be waited for, or none is there. */
export function contendersOf(choices: readonly Choice[], moment: Moment): readonly Choice[] {
  const open = choices.filter((choice) => isOffered(choice, moment));
  const free = open.filter((choice) => !isTaken(choice, moment));
  const ready = free.filter((choice) => !ailmentOf(choice, moment));
  // By its score, one that failed would wait for a rush of requests before it is tried again.
  const trials = ready.filter(({ state }) => !isHealthy(state));
  if (ready.length > 0) return trials.length > 0 ? trials : ready;
  // None is well: the least bad one is tried rather than none, by one exchange at a time.
  if (open.some(({ state }) => isHealthy(state))) return [];
  const untried = free.filter(({ state }) => state.circuit.state !== 'half-open');
  const up = untried.filter(({ state }) => state.isUp);
  return up.length > 0 ? up : untried;
}

export type Contender = Choice & Candidate;

export function toContenders(choices: readonly Choice[], { nowMs, circuit }: Moment): readonly Contender[] {
  return choices.map((choice) => ({ ...choice, ...toCandidate(choice.state, nowMs, circuit) }));
}

/** Those in whose line a request may wait: busy ones, and those on trial, have room soon. */
export function linesFor(choices: readonly Choice[], moment: Moment): readonly Choice[] {
  return choices.filter((choice) => {
    const { target, state } = choice;
    return (
      isOffered(choice, moment) &&
      state.isUp &&
      state.circuit.state !== 'open' &&
      !cooldownOf(state, target.upstreamModel, moment.nowMs) &&
      state.line.lengthOf(target.upstreamModel) < state.backend.queue
    );
  });
}

export function hasRoom({ leases, backend }: State, moment: Pick<Moment, 'hasRoom'>): boolean {
  return leases.size < backend.maxConcurrency && moment.hasRoom;
}

/** Each choice as it would fare. */
export function prospectsOf(choices: readonly Choice[], moment: Moment): Prospect[] {
  const contenders = toContenders(contendersOf(choices, moment), moment);
  const unknownLatencySeconds = meanLatency(contenders);
  const places = rank(contenders);
  const lines = contenders.length > 0 ? [] : linesFor(choices, moment);
  return choices.map((choice) => {
    const place = places.find(({ candidate }) => candidate.target === choice.target);
    const obstacle = obstacleOf(choice, moment);
    return {
      target: choice.target,
      obstacle,
      isLastResort: obstacle !== undefined && place !== undefined,
      score: place && toScore(place.candidate, place.score, unknownLatencySeconds),
      isBest: place?.isBest ?? false,
      isWaitedFor: lines.includes(choice),
    };
  });
}

function toScore(candidate: Candidate, value: number, unknownLatencySeconds: number): Score {
  return {
    value,
    weight: candidate.weight,
    successRate: successOf(candidate),
    latencySeconds: latencyOf(candidate, unknownLatencySeconds),
    isLatencyKnown: candidate.latencySeconds !== undefined,
    inFlight: candidate.inFlight,
  };
}

/** The first that would have to go. */
function obstacleOf(choice: Choice, moment: Moment): Obstacle | undefined {
  const { state, target } = choice;
  if (moment.isDrained(state.backend)) return 'drained';
  if (state.backend.weight === 0) return 'weight_0';
  const ailment = ailmentOf(choice, moment);
  if (ailment) return ailment;
  if (cooldownOf(state, target.upstreamModel, moment.nowMs)) return 'cooling_down';
  return hasRoom(state, moment) ? undefined : 'busy';
}

function isOffered({ state }: Choice, { isDrained }: Moment): boolean {
  return state.backend.weight > 0 && !isDrained(state.backend);
}

function isTaken({ state, target }: Choice, moment: Moment): boolean {
  return !hasRoom(state, moment) || cooldownOf(state, target.upstreamModel, moment.nowMs) !== undefined;
}

function ailmentOf({ state }: Choice, { nowMs }: Moment): Obstacle | undefined {
  if (!state.isUp) return 'down';
  if (mayTry(state.circuit, nowMs)) return undefined;
  return state.circuit.state === 'half-open' ? 'on_trial' : 'circuit_open';
}

/** Why nobody can be chosen and nobody may wait. */
export function refusalOf(choices: readonly Choice[], moment: Moment): GatewayError {
  const { nowMs } = moment;
  const open = choices.filter((choice) => isOffered(choice, moment));
  const cooldowns = open.flatMap(({ target, state }) => cooldownOf(state, target.upstreamModel, nowMs) ?? []);
  const [first] = cooldowns;
  if (first && cooldowns.length === open.length) {
    const untilMs = Math.min(...cooldowns.map((each) => each.untilMs));
    return new GatewayError(first.reason, {
      message: 'The backends of this model asked to be left alone for a while. Try again later.',
      retryAfterSeconds: Math.max(1, Math.ceil((untilMs - nowMs) / 1000)),
    });
  }
  return open.some(({ state }) => isHealthy(state)) ? allBusy() : noneLeft();
}

export function allBusy(): GatewayError {
  return new GatewayError('server_overloaded', {
    message: 'All backends of this model are busy. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

export function noneLeft(): GatewayError {
  return new GatewayError('no_backend_available', {
    message: 'No backend can serve this model now. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
