/** The circuit breaker of one backend as pure transitions: closed, open, half-open, and closed again by degrees. */

export interface CircuitSettings {
  /** Failures in a row that open the circuit. */
  readonly failures: number;
  /** Share of failures in the window that opens it, 0 to 1. */
  readonly failureShare: number;
  /** Below so many exchanges in the window the share says nothing. */
  readonly minRequests: number;
  readonly windowMs: number;
  /** How long it stays open before one exchange may try. */
  readonly openMs: number;
  /** How long the backend then takes to get its full share again. */
  readonly rampMs: number;
}

/** Half a window: the one that runs and the one before it together are what is looked at. */
interface Slice {
  readonly startedMs: number;
  readonly successes: number;
  readonly failures: number;
}

export type Circuit =
  | {
      readonly state: 'closed';
      /** Failures since the last success. */
      readonly failuresInRow: number;
      readonly current: Slice;
      readonly previous: Slice;
      /** When it closed after having been open; -Infinity when it never was. */
      readonly closedMs: number;
    }
  | { readonly state: 'open'; readonly untilMs: number }
  /** One exchange tries; nobody else may. */
  | { readonly state: 'half-open' };

/** What a backend that comes back gets at first. */
const FIRST_SHARE = 0.1;

export function closedCircuit(nowMs: number, closedMs = -Infinity): Circuit {
  const empty = { startedMs: nowMs, successes: 0, failures: 0 };
  return { state: 'closed', failuresInRow: 0, current: empty, previous: empty, closedMs };
}

export function mayTry(circuit: Circuit, nowMs: number): boolean {
  return circuit.state === 'closed' || (circuit.state === 'open' && nowMs >= circuit.untilMs);
}

/** An exchange that is a trial begins. */
export function onTrial(): Circuit {
  return { state: 'half-open' };
}

/** `isTrial`: of the one exchange that may try; what else ends while the circuit is not closed says nothing. */
export function onSuccess(
  circuit: Circuit,
  isTrial: boolean,
  nowMs: number,
  settings: CircuitSettings,
): Circuit {
  if (circuit.state !== 'closed') return isTrial ? closedCircuit(nowMs, nowMs) : circuit;
  const { current, previous } = turn(circuit, nowMs, settings);
  return {
    ...circuit,
    failuresInRow: 0,
    current: { ...current, successes: current.successes + 1 },
    previous,
  };
}

export function onFailure(
  circuit: Circuit,
  isTrial: boolean,
  nowMs: number,
  settings: CircuitSettings,
): Circuit {
  if (circuit.state !== 'closed') return isTrial ? tripped(nowMs, settings) : circuit;
  const slices = turn(circuit, nowMs, settings);
  const current = { ...slices.current, failures: slices.current.failures + 1 };
  const failuresInRow = circuit.failuresInRow + 1;
  const failures = current.failures + slices.previous.failures;
  const requests = failures + current.successes + slices.previous.successes;
  const isOver = requests >= settings.minRequests && failures >= requests * settings.failureShare;
  if (failuresInRow >= settings.failures || isOver) return tripped(nowMs, settings);
  return { ...circuit, failuresInRow, current, previous: slices.previous };
}

/** Nobody listens there: no second failure is needed to know it. */
export function tripped(nowMs: number, { openMs }: CircuitSettings): Circuit {
  return { state: 'open', untilMs: nowMs + openMs };
}

/** The trial ended without a verdict (its client left): the next exchange may try. */
export function onAbandoned(circuit: Circuit, nowMs: number): Circuit {
  return circuit.state === 'half-open' ? { state: 'open', untilMs: nowMs } : circuit;
}

/** The backend is up again after having been down: one exchange may try now. */
export function onRecovered(circuit: Circuit, nowMs: number): Circuit {
  return circuit.state === 'half-open' ? circuit : { state: 'open', untilMs: nowMs };
}

/** The share of its weight that a backend gets, 0.1 to 1: it grows evenly after it has come back. */
export function rampShare(circuit: Circuit, nowMs: number, { rampMs }: CircuitSettings): number {
  if (circuit.state !== 'closed' || rampMs === 0) return 1;
  return Math.min(1, Math.max(FIRST_SHARE, (nowMs - circuit.closedMs) / rampMs));
}

/** The two half windows as of now. A clock that went back changes nothing. */
function turn(
  { current, previous }: Extract<Circuit, { state: 'closed' }>,
  nowMs: number,
  { windowMs }: CircuitSettings,
): { current: Slice; previous: Slice } {
  const ageMs = nowMs - current.startedMs;
  if (ageMs < windowMs / 2) return { current, previous };
  const empty = { startedMs: nowMs, successes: 0, failures: 0 };
  return { current: empty, previous: ageMs < windowMs ? current : empty };
}
