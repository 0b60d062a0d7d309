/** Lets in who holds a key, before anything of the body is read. */

import type { RequestHandler } from 'express';
import { GatewayError } from '../core/errors.ts';
import type { Client } from '../core/client.ts';
import { contextOf, type RequestContext } from './context.ts';

/** For clients. */
export const authenticate: RequestHandler = (req, res, next) => {
  const context = contextOf(res);
  context.client = context.generation.keyring.identify(req.headers.authorization);
  next();
};

/** Who calls, on a route behind `authenticate`. */
export function clientOf(context: RequestContext): Client {
  if (!context.client) throw new TypeError('nobody was let in: the route lacks authenticate');
  return context.client;
}

/** For the operator; without a key of the operator there is nothing here. */
export const authenticateAdmin: RequestHandler = (req, res, next) => {
  const { adminKeyring } = contextOf(res).generation;
  if (!adminKeyring) {
    throw new GatewayError('unknown_url', {
      message: `Invalid URL (${req.method} ${req.path.slice(0, 200)}): the operator's endpoints are off. Set ADMIN_KEY to use them.`,
    });
  }
  adminKeyring.identify(req.headers.authorization);
  next();
};
