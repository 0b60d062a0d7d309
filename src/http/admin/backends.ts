/** GET /admin/backends, and taking one out of choice and back in. */

import type { RequestHandler } from 'express';
import type { BackendView, FleetDesk } from '../../core/operator.ts';
import { noteSubject } from './subject.ts';

export function listBackends(desk: Pick<FleetDesk, 'backends'>): RequestHandler {
  return async (_req, res) => {
    res.json({ backends: (await desk.backends()).map(toAnswer) });
  };
}

export function drainBackend(
  desk: Pick<FleetDesk, 'drain'>,
  isDrained: boolean,
): RequestHandler<{ name: string }> {
  return async (req, res) => {
    const name = noteSubject(res, req.params.name);
    res.json({ backends: (await desk.drain(name, isDrained)).map(toAnswer) });
  };
}

export function toAnswer({ isUp, isDrained, load, version, ...view }: BackendView): object {
  return {
    ...view,
    up: isUp,
    drained: isDrained,
    load: load && { ...load, cacheUsage: load.cacheUsage ?? null },
    version: version === '' ? null : version,
  };
}
