/** One request of a surface: body in, exchange, answer out. */

import type { RequestHandler } from 'express';
import type { Surface, SurfaceContext } from '../core/operation.ts';
import type { ExchangeRecord, Meter, Relay } from '../core/exchange.ts';
import type { Dispatch } from '../gateway/dispatch.ts';
import { readBody } from './body.ts';
import { contextOf, type RequestContext } from './context.ts';
import { createRelay } from './relay.ts';
import type { ServerResponse } from 'node:http';

export interface InferenceDeps {
  readonly dispatch: Dispatch;
  readonly meter: Meter;
  readonly bodyLimitBytes: number;
  readonly surfaces: SurfaceContext;
  /** Parameters without effect are refused; a client can ask for it with `x-gateway-strict: true`. */
  readonly isStrict: boolean;
}

export function inference(surface: Surface, deps: InferenceDeps): RequestHandler {
  return async (req, res) => {
    const context = contextOf(res);
    const started = begin(surface, deps, context, await readBody(req, deps.bodyLimitBytes), res);
    context.record = started.record;
    const record = await started.record;
    deps.meter.exchange(record);
    if (record.error && !started.relay.isCommitted) throw record.error;
  };
}

/** Not in the frame above, which waits for the end of the stream and must not hold the prompt. */
function begin(
  surface: Surface,
  { dispatch, surfaces, isStrict: isAlwaysStrict }: InferenceDeps,
  { id, client, startedMs }: RequestContext,
  json: string,
  res: ServerResponse,
): { record: Promise<ExchangeRecord>; relay: Relay } {
  const operation = surface.toOperation(json, surfaces);
  const { isStream } = operation;
  const isStrict = isAlwaysStrict || res.req.headers['x-gateway-strict'] === 'true';
  const relay = createRelay(res, isStream);
  const record = dispatch.run({
    id,
    client: client ?? '',
    surface,
    isStream,
    isStrict,
    operation,
    relay,
    startedMs,
  });
  return { record, relay };
}
