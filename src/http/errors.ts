/** Failures before the commit → HTTP answers with OpenAI's error body. */

import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { GatewayError, retryAfterOf, toGatewayError } from '../core/errors.ts';
import type { Surface } from '../core/operation.ts';
import type { Logger } from '../core/exchange.ts';
import { contextOf } from './context.ts';
import { setHeaders } from './headers.ts';

export function errors(surface: Pick<Surface, 'errorBody'>, logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    const error = fromExpress(thrown);
    contextOf(res).error = error;
    if (error.reason === 'internal_error') {
      const { id: requestId, trace } = contextOf(res);
      logger.error('request failed', { requestId, error, ...trace?.logFields });
    }
    if (res.headersSent) {
      next(thrown);
      return;
    }
    if (res.destroyed) return;
    // It speaks of an answer that there is not.
    res.removeHeader('x-gateway-ignored-params');
    setErrorHeaders(res, error);
    res
      .status(error.status)
      .type('application/json')
      .send(Buffer.from(surface.errorBody(error), 'latin1'));
  };
}

export const notFound: RequestHandler = (req) => {
  throw new GatewayError('unknown_url', { message: `Invalid URL (${req.method} ${req.path.slice(0, 200)})` });
};

/** For a path that exists, with the methods that it has. */
export function methodNotAllowed(...methods: readonly string[]): RequestHandler {
  return (req, res) => {
    res.setHeader('allow', methods.join(', '));
    throw new GatewayError('method_not_supported', {
      message: `Not allowed to ${req.method} on ${req.path.slice(0, 200)} (HINT: use ${methods.join(' or ')}).`,
    });
  };
}

/** What a failure says beside its body. */
export function setErrorHeaders(res: Response, error: GatewayError): void {
  setHeaders(res, error.headers);
  const retryAfter = retryAfterOf(error);
  if (retryAfter !== undefined) res.setHeader('retry-after', String(retryAfter));
  if (error.retryAfterMs !== undefined)
    res.setHeader('retry-after-ms', String(Math.ceil(error.retryAfterMs)));
  if (error.retryIsFutile) res.setHeader('x-should-retry', 'false');
}

/** The router's own complaints (a malformed escape in the path) carry a status. */
function fromExpress(thrown: unknown): GatewayError {
  const status = thrown instanceof Error && 'status' in thrown ? thrown.status : undefined;
  if (thrown instanceof GatewayError || typeof status !== 'number' || status < 400 || status > 499) {
    return toGatewayError(thrown);
  }
  return new GatewayError('invalid_request', {
    message: 'The URL of the request is malformed.',
    cause: thrown,
  });
}
