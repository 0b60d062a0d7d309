/** What belongs to one HTTP request: its id, its clock, and one line in the log when it is over. */

import type { Request, RequestHandler, Response } from 'express';
import type { Client } from '../core/client.ts';
import type { Generation } from './generation.ts';
import type { JsonObject } from '../core/json.ts';
import { toGatewayError, type GatewayError } from '../core/errors.ts';
import type { ExchangeRecord, Logger, Meter, Now } from '../core/exchange.ts';
import type { RequestTrace, Tracer } from '../core/tracing.ts';

export interface RequestContext {
  readonly id: string;
  readonly startedMs: number;
  readonly generation: Generation;
  /** undefined where nobody traces it. */
  readonly trace: RequestTrace | undefined;
  /** Who calls, once it is known. */
  client: Client | undefined;
  /** What the operator's request is about: a backend, a model, an exchange. */
  subject: string | undefined;
  /** Set by a route of inference. When the client leaves, it ends after the response has closed. */
  record: Promise<ExchangeRecord> | undefined;
  /** A failure worth the log's attention. */
  error: unknown;
}

export interface ContextDeps {
  readonly current: () => Generation;
  readonly now: Now;
  readonly newId: () => string;
  readonly meter: Pick<Meter, 'request'>;
  readonly tracer: Tracer;
  readonly logger: Logger;
}

/** What a proxy in front may call a request; anything else is replaced and not echoed. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

export function contextOf(res: Response): RequestContext {
  return res.locals.context as RequestContext;
}

export function context({ current, now, newId, meter, tracer, logger }: ContextDeps): RequestHandler {
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : `req_${newId()}`;
    const own: RequestContext = {
      id,
      startedMs: now(),
      generation: current(),
      trace: beginTrace(tracer, id, req),
      client: undefined,
      subject: undefined,
      record: undefined,
      error: undefined,
    };
    res.locals.context = own;
    res.setHeader('x-request-id', id);
    const { method } = req;
    res.on('close', () => {
      const durationMs = now() - own.startedMs;
      // The template and never the path: clients must not be able to invent labels.
      const matched = req.route as { readonly path?: unknown } | undefined;
      const route = typeof matched?.path === 'string' ? matched.path : 'unmatched';
      // 499: the client left before there was a status to send.
      const status = res.headersSent ? res.statusCode : 499;
      meter.request(method, route, status, durationMs);
      void Promise.resolve(own.record).then((record) => {
        const { client, subject, error, trace } = own;
        const who = { ...(client && { client: client.name }), ...(subject !== undefined && { subject }) };
        const outcome = { ...who, ...describe(record, error), durationMs, ...trace?.logFields };
        logger.info('request', { requestId: id, method, route, status, ...outcome });
        trace?.end({
          route: typeof matched?.path === 'string' ? route : undefined,
          status: res.headersSent ? status : undefined,
          client: client?.name,
          record,
          error: failureOf(record, error),
        });
      });
    });
    next();
  };
}

function beginTrace(tracer: Tracer, id: string, req: Request): RequestTrace | undefined {
  const { method, url, headers } = req;
  return tracer.begin({ id, method, isEncrypted: 'encrypted' in req.socket, url, headers });
}

function failureOf(record: ExchangeRecord | undefined, error: unknown): GatewayError | undefined {
  return record?.error ?? (error === undefined ? undefined : toGatewayError(error));
}

function describe(record: ExchangeRecord | undefined, error: unknown): JsonObject {
  if (!record) return error === undefined ? {} : { error };
  const { model, backend, status, attempts, ttftMs, usage } = record;
  return {
    model,
    backend,
    outcome: status,
    attempts,
    ...(ttftMs !== undefined && { ttftMs }),
    ...(usage && { inputTokens: usage.prompt, outputTokens: usage.completion }),
    ...(record.error && { error: record.error }),
  };
}
