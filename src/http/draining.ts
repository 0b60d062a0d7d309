/** From the order to stop on: new work is refused, and connections are not kept. */

import type { RequestHandler } from 'express';
import { GatewayError } from '../core/errors.ts';

/** serving: all is well; leaving: still served, but no longer ready; draining: nothing new is taken. */
export type Phase = 'serving' | 'leaving' | 'draining';

const RETRY_AFTER_SECONDS = 1;

/** For all paths: whoever still comes is to find another instance with its next request. */
export function closeConnections(phase: () => Phase): RequestHandler {
  return (_req, res, next) => {
    if (phase() !== 'serving') res.setHeader('connection', 'close');
    next();
  };
}

/** For paths that make work. */
export function refuseNewWork(phase: () => Phase): RequestHandler {
  return (_req, _res, next) => {
    if (phase() !== 'draining') {
      next();
      return;
    }
    throw new GatewayError('shutting_down', {
      message: 'The gateway is shutting down. Send the request again.',
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  };
}
