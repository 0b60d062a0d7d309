/** The state of a backend as the operator sees it, in one process and in all together. */

import { CIRCUIT_STATES, type BackendStatus, type Target } from '../../core/fleet.ts';
import type { BackendView } from '../../core/operator.ts';

export function viewOf(status: BackendStatus): BackendView {
  const { backend, discovery } = status;
  const { name, group, kind, weight, maxConcurrency } = backend;
  return {
    name,
    group,
    kind,
    isUp: status.isUp,
    circuit: status.circuit,
    isDrained: status.isDrained,
    weight,
    inFlight: status.inFlight,
    queued: status.queued,
    slots: Number.isFinite(maxConcurrency) ? maxConcurrency : null,
    load: discovery?.load ?? null,
    models: discovery?.models.size ?? 0,
    resident: discovery?.resident ?? null,
    version: discovery?.version ?? '',
  };
}

/** Those of all processes, in the order of the first. Each process has its share of the slots. */
export function joinViews(ofProcesses: readonly (readonly BackendView[])[]): BackendView[] {
  const joined = new Map<string, BackendView>();
  for (const view of ofProcesses.flat()) {
    const known = joined.get(view.name);
    joined.set(view.name, known ? join(known, view) : view);
  }
  return [...joined.values()];
}

function join(a: BackendView, b: BackendView): BackendView {
  const worst = Math.max(CIRCUIT_STATES.indexOf(a.circuit), CIRCUIT_STATES.indexOf(b.circuit));
  return {
    ...a,
    isUp: a.isUp || b.isUp,
    circuit: CIRCUIT_STATES[worst] ?? a.circuit,
    isDrained: a.isDrained && b.isDrained,
    inFlight: a.inFlight + b.inFlight,
    queued: a.queued + b.queued,
    slots: a.slots === null || b.slots === null ? null : a.slots + b.slots,
    load: a.load ?? b.load,
    models: Math.max(a.models, b.models),
    resident: a.resident ?? b.resident,
    version: a.version || b.version,
  };
}

/** The target's model is in the memory of its backend; undefined when that does not tell. */
export function residentOf({ discovery }: BackendStatus, { upstreamModel }: Target): boolean | undefined {
  return discovery?.resident?.includes(upstreamModel);
}
