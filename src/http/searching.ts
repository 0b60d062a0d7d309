/** While model servers are looked for, requests that need one wait: it takes a moment, and nobody could serve them. */

import type { RequestHandler } from 'express';

/** `search`: ends when the backends are known, however it ends; undefined when they are. */
export function awaitBackends(search: () => Promise<void> | undefined): RequestHandler {
  return async (_req, _res, next) => {
    await search();
    next();
  };
}
