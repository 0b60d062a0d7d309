/** GET /admin/config: what holds now, where it comes from, and no secret. */

import type { RequestHandler } from 'express';
import type { JsonObject } from '../../core/json.ts';

export interface ConfigDescription {
  readonly settings: JsonObject;
  readonly sources: Readonly<Record<string, string>>;
}

export function showConfig(describe: () => ConfigDescription): RequestHandler {
  return (_req, res) => {
    const { settings, sources } = describe();
    res.json({ settings, sources });
  };
}
