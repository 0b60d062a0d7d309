/** POST /admin/reload: the operator has changed the configuration. */

import type { RequestHandler } from 'express';

export interface ReloadResult {
  readonly isApplied: boolean;
  /** What is wrong with the new configuration; the old one then stays. */
  readonly faults: readonly { readonly where: string; readonly message: string }[];
  /** Settings that have changed and hold after a restart only. */
  readonly needRestart: readonly string[];
}

/** Never rejects. */
export type Reload = () => Promise<ReloadResult>;

const CONFLICT = 409;

export function reloadConfig(reload: Reload): RequestHandler {
  return async (_req, res) => {
    const { isApplied, faults, needRestart } = await reload();
    res.status(isApplied ? 200 : CONFLICT).json({
      status: isApplied ? 'reloaded' : 'refused',
      faults,
      needRestart,
    });
  };
}
