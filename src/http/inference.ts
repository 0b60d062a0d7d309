/** One request of a surface: body in, exchange, answer out. */

import type { RequestHandler } from 'express';
import type { ServerResponse } from 'node:http';
import type { ExchangeRecord, Meter, Relay } from '../core/exchange.ts';
import type { Surface } from '../core/operation.ts';
import { readBody } from './body.ts';
import { contextOf, type RequestContext } from './context.ts';
import { createRelay } from './relay.ts';

export function inference(surface: Surface, meter: Meter): RequestHandler {
  return async (req, res) => {
    const context = contextOf(res);
    const started = begin(surface, context, await readBody(req, context.generation.bodyLimitBytes), res);
    context.record = started.record;
    const record = await started.record;
    meter.exchange(record);
    if (record.error && !started.relay.isCommitted) throw record.error;
  };
}

/** Not in the frame above, which waits for the end of the stream and must not hold the prompt. */
function begin(
  surface: Surface,
  { id, client, startedMs, generation }: RequestContext,
  json: string,
  res: ServerResponse,
): { record: Promise<ExchangeRecord>; relay: Relay } {
  const operation = surface.toOperation(json, generation.surfaces);
  const { isStream } = operation;
  const { headers } = res.req;
  const relay = createRelay(res, isStream);
  const record = generation.dispatch.run({
    id,
    client: client ?? '',
    priority: 0,
    deadlineMs: startedMs + patienceOf(headers['x-stainless-timeout']),
    surface,
    isStream,
    isStrict: generation.isStrict || headers['x-gateway-strict'] === 'true',
    operation,
    relay,
    startedMs,
  });
  return { record, relay };
}

/** Milliseconds for which OpenAI's SDKs say they wait for an answer to begin; they send seconds. */
function patienceOf(header: string | string[] | undefined): number {
  const seconds = typeof header === 'string' && /^\d{1,7}(\.\d{1,3})?$/.test(header) ? Number(header) : 0;
  return seconds === 0 ? Infinity : seconds * 1000;
}
