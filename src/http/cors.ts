/** Which web pages may call the gateway from a browser. */

import cors from 'cors';
import type { RequestHandler } from 'express';
import { contextOf } from './context.ts';

/** How long a browser may remember the answer to a preflight. */
const PREFLIGHT_MAX_AGE_SECONDS = 86_400;

/** What scripts of a page may read of an answer. */
const EXPOSED = [
  'x-request-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'x-gateway-ignored-params',
  ...['requests', 'tokens'].flatMap((sort) =>
    ['limit', 'remaining', 'reset'].map((what) => `x-ratelimit-${what}-${sort}`),
  ),
];

/**
 * Preflights carry no key and are answered without one. The requested header names are echoed:
 * SDKs send a dozen, and `*` would not cover Authorization.
 */
export function crossOrigin(): RequestHandler {
  const handlers = new WeakMap<readonly string[], RequestHandler>();
  return (req, res, next) => {
    const { corsOrigins: origins } = contextOf(res).generation;
    if (origins.length === 0) {
      next();
      return;
    }
    const handler = handlers.get(origins) ?? create(origins);
    handlers.set(origins, handler);
    handler(req, res, next);
  };
}

function create(origins: readonly string[]): RequestHandler {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    exposedHeaders: EXPOSED,
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  });
}
