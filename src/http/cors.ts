/** Which web pages may call the gateway from a browser. */

import cors from 'cors';
import type { Request, RequestHandler } from 'express';
import { contextOf } from './context.ts';

export interface CorsSettings {
  /** Origins of web pages that may call; `*`: all. Empty: none, and preflights are not answered. */
  readonly origins: readonly string[];
  /** How long a browser may remember the answer to a preflight. */
  readonly maxAgeMs: number;
}

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

/** Names of headers that may be asked for: those of an SDK are a dozen and a half. */
const REQUESTED = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}( ?, ?[a-z0-9!#$%&'*+.^_`|~-]{1,64}){0,63}$/i;
/** In place of what is no such list. `*` would not cover the first (Fetch, section 4.8). */
const ALLOWED = ['authorization', 'content-type'];

/**
 * Preflights carry no key and are answered without one, here; no backend hears of them. The requested
 * header names are echoed within bounds: what browsers may send is not what goes on to a backend.
 */
export function crossOrigin(): RequestHandler {
  const handlers = new WeakMap<CorsSettings, Handlers>();
  return (req, res, next) => {
    const { cors: settings } = contextOf(res).generation;
    if (settings.origins.length === 0) {
      next();
      return;
    }
    const created = handlers.get(settings) ?? create(settings);
    handlers.set(settings, created);
    created[isListOfNames(req) ? 'echoing' : 'listing'](req, res, () => {
      if (isPreflight(req)) res.status(204).end();
      else next();
    });
  };
}

interface Handlers {
  readonly echoing: RequestHandler;
  readonly listing: RequestHandler;
}

function create({ origins, maxAgeMs }: CorsSettings): Handlers {
  const options = {
    // Never with credentials: no cookie means anything here.
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    exposedHeaders: EXPOSED,
    maxAge: Math.floor(maxAgeMs / 1000),
    // It would take every OPTIONS for a preflight.
    preflightContinue: true,
  };
  return { echoing: cors(options), listing: cors({ ...options, allowedHeaders: ALLOWED }) };
}

function isPreflight({ method, headers }: Request): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

function isListOfNames({ headers }: Request): boolean {
  const names = headers['access-control-request-headers'];
  return names !== undefined && REQUESTED.test(names);
}
