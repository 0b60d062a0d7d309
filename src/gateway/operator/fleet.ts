/** The backends as all processes together see them, and which of them take nothing new. */

import { GatewayError } from '../../core/errors.ts';
import type { Pool } from '../../core/fleet.ts';
import type { BackendView, FleetDesk } from '../../core/operator.ts';
import type { AskAll } from '../../core/workers.ts';
import { joinViews, viewOf } from './view.ts';

interface DrainOrder {
  readonly name: string;
  readonly isDrained: boolean;
}

const MAX_NAME_LENGTH = 100;

export function createFleetDesk(pool: Pick<Pool, 'status' | 'drain'>, askAll: AskAll): FleetDesk {
  const views = (): BackendView[] => pool.status().map(viewOf);
  const viewsOfAll = askAll('backends', views);
  const drainAll = askAll('drain', ({ name, isDrained }: DrainOrder) => {
    pool.drain(name, isDrained);
    return views();
  });

  return {
    async backends() {
      return joinViews(await viewsOfAll(null));
    },

    async drain(name, isDrained) {
      checkKnown(name, views());
      const all = joinViews(await drainAll({ name, isDrained }, `drain ${name}`));
      const ofName = all.filter((view) => isOf(view, name));
      if (!isDrained) checkResumed(ofName);
      return ofName;
    },
  };
}

/** By its own name, or by that of the configured one behind which it was found. */
export function isOf(backend: { readonly name: string; readonly group: string }, name: string): boolean {
  return backend.name === name || backend.group === name;
}

export function checkKnown(name: string, backends: readonly { name: string; group: string }[]): void {
  if (backends.some((backend) => isOf(backend, name))) return;
  throw new GatewayError('unknown_backend', {
    message: `There is no backend '${name.slice(0, MAX_NAME_LENGTH)}'.`,
    param: 'backend',
  });
}

function checkResumed(views: readonly BackendView[]): void {
  const drained = views.find((view) => view.isDrained);
  if (!drained) return;
  throw new GatewayError('invalid_request', {
    message:
      drained.name === drained.group
        ? `'${drained.name}' could not be resumed in all processes. Try again.`
        : `'${drained.name}' is drained together with the others of '${drained.group}'. Resume '${drained.group}'.`,
    param: 'backend',
  });
}
