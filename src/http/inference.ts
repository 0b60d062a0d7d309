/** One request of a surface: body in, exchange, answer out. */

import type { RequestHandler } from 'express';
import type { ChatSurface, ExchangeRecord, Meter, Relay } from '../core/ports.ts';
import type { Dispatch } from '../gateway/dispatch.ts';
import { readBody } from './body.ts';
import { contextOf, type RequestContext } from './context.ts';
import { createRelay } from './relay.ts';
import type { ServerResponse } from 'node:http';

export interface InferenceDeps {
  readonly dispatch: Dispatch;
  readonly meter: Meter;
  readonly bodyLimitBytes: number;
}

export function inference(surface: ChatSurface, deps: InferenceDeps): RequestHandler {
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
  surface: ChatSurface,
  { dispatch }: InferenceDeps,
  { id, client, startedMs }: RequestContext,
  json: string,
  res: ServerResponse,
): { record: Promise<ExchangeRecord>; relay: Relay } {
  const request = surface.toRequest(json);
  const isStream = request.body.stream === true;
  const relay = createRelay(res, isStream);
  const record = dispatch.run({ id, client: client ?? '', surface, isStream, request, relay, startedMs });
  return { record, relay };
}
