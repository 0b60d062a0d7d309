/** Lets in who holds a key, before anything of the body is read. */

import type { Request, RequestHandler } from 'express';
import { GatewayError } from '../core/errors.ts';
import type { Client } from '../core/client.ts';
import { contextOf, type RequestContext } from './context.ts';

/** For clients. */
export const authenticate: RequestHandler = (req, res, next) => {
  const context = contextOf(res);
  context.client = context.generation.keyring.identify(authorizationOf(req));
  next();
};

/** Who calls, on a route behind `authenticate`. */
export function clientOf(context: RequestContext): Client {
  if (!context.client) throw new TypeError('nobody was let in: the route lacks authenticate');
  return context.client;
}

/** For the operator; without a key of the operator there is nothing here. */
export const authenticateAdmin: RequestHandler = (req, res, next) => {
  const context = contextOf(res);
  const { adminKeyring } = context.generation;
  if (!adminKeyring) {
    throw new GatewayError('unknown_url', {
      message: `Invalid URL (${req.method} ${req.path.slice(0, 200)}): the operator's endpoints are off. Set ADMIN_KEY to use them.`,
    });
  }
  context.client = adminKeyring.identify(authorizationOf(req));
  next();
};

/**
 * Node keeps the first of several. They are joined, as RFC 9110 has it (section 5.3), and as such are no
 * credentials: nobody can know which one a proxy in front has looked at.
 */
function authorizationOf({ rawHeaders, headers }: Request): string | undefined {
  const values = rawHeaders.filter(
    (_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === 'authorization',
  );
  return values.length > 1 ? values.join(', ') : headers.authorization;
}
