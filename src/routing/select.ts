/** The weighted least-load score: which of the candidates gets the next exchange. Pure. */

export interface Candidate {
  /** Relative capacity; 0 takes no traffic. */
  readonly weight: number;
  /** Leases now held. */
  readonly inFlight: number;
  /** Moving average of a successful exchange in seconds; undefined before the first. */
  readonly latencySeconds: number | undefined;
  /** Share of exchanges that succeeded lately, 0 to 1. */
  readonly successRate: number;
}

/** Clocks are coarse and loopback is fast: below this, latencies are equal. */
const MIN_LATENCY_SECONDS = 0.001;
/** A backend that only failed keeps a chance, or it could never show that it is well again. */
const MIN_SUCCESS_RATE = 0.01;
/** Scores closer than this are equal: they differ by rounding. */
const TIE = 1e-9;

/**
 * weight · successRate / (latency · (inFlight + 1)), higher is better. A backend without a sample
 * is judged by `unknownLatencySeconds`, so that it is neither shunned nor stormed.
 */
export function scoreOf(candidate: Candidate, unknownLatencySeconds: number): number {
  const { weight, inFlight } = candidate;
  const latency = latencyOf(candidate, unknownLatencySeconds);
  return (weight * successOf(candidate)) / (latency * (inFlight + 1));
}

export function latencyOf({ latencySeconds }: Candidate, unknownLatencySeconds: number): number {
  return Math.max(MIN_LATENCY_SECONDS, latencySeconds ?? unknownLatencySeconds);
}

export function successOf({ successRate }: Candidate): number {
  return Math.max(MIN_SUCCESS_RATE, successRate);
}

interface Place<T> {
  readonly candidate: T;
  readonly score: number;
  /** None has a higher score; several may have the same. */
  readonly isBest: boolean;
}

export function rank<T extends Candidate>(candidates: readonly T[]): readonly Place<T>[] {
  const unknown = meanLatency(candidates);
  const scored = candidates.map((candidate) => ({ candidate, score: scoreOf(candidate, unknown) }));
  const highest = Math.max(...scored.map(({ score }) => score));
  return scored.map((each) => ({ ...each, isBest: each.score >= highest * (1 - TIE) }));
}

/**
 * The best candidate, or undefined when there is none. Equals are drawn: `random` gives numbers
 * in [0, 1). Taking the first of equals would send all first requests to one backend.
 */
export function select<T extends Candidate>(candidates: readonly T[], random: () => number): T | undefined {
  const best = rank(candidates).filter(({ isBest }) => isBest);
  return best[Math.floor(random() * best.length)]?.candidate;
}

/** What is known of the others is the best guess for one without a sample; a second, if nothing is. */
export function meanLatency(candidates: readonly Candidate[]): number {
  const known = candidates.flatMap(({ latencySeconds }) => latencySeconds ?? []);
  return known.length === 0 ? 1 : known.reduce((sum, value) => sum + value, 0) / known.length;
}
