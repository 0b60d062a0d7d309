/** One request of a surface: body in, admission, exchange, answer out. */

import type { RequestHandler } from 'express';
import type { ServerResponse } from 'node:http';
import { GatewayError } from '../core/errors.ts';
import type { ExchangeRecord, Meter, Relay } from '../core/exchange.ts';
import type { Surface } from '../core/operation.ts';
import { clientOf } from './authenticate.ts';
import { readBody } from './body.ts';
import { contextOf, type RequestContext } from './context.ts';
import { setHeaders } from './headers.ts';
import { checkNamedModels } from './named-models.ts';
import { createRelay } from './relay.ts';

export function inference(surface: Surface, meter: Pick<Meter, 'exchange'>): RequestHandler {
  return async (req, res) => {
    const context = contextOf(res);
    const json = await readBody(req, context.generation.bodyLimitBytes);
    const { relay, record } = await begin(surface, context, json, res);
    context.record = record;
    const { error } = await record;
    meter.exchange(await record);
    if (error && !relay.isCommitted) throw error;
  };
}

/** Not in the frame above, which waits for the end of the stream and must not hold the prompt. */
async function begin(
  surface: Surface,
  context: RequestContext,
  json: string,
  res: ServerResponse,
): Promise<{ record: Promise<ExchangeRecord>; relay: Relay }> {
  const { id, startedMs, generation } = context;
  const client = clientOf(context);
  const { headers } = res.req;
  const isStrict = wantsStrict(headers['x-gateway-strict']) || generation.isStrict;
  const operation = surface.toOperation(json, { ...generation.surfaces, isStrict });
  checkNamedModels(json, client, generation.catalog, false);
  const { isStream } = operation;
  const admitted = generation.admission.admit(client, operation);
  // Most requests have no limit to wait for.
  const permit = admitted && (await admitted);
  if (permit) setHeaders(res, permit.headers);
  const relay = createRelay(res, isStream);
  const record = generation.dispatch.run({
    id,
    client,
    deadlineMs: startedMs + patienceOf(headers['x-stainless-timeout']),
    surface,
    isStream,
    isStrict,
    operation,
    relay,
    startedMs,
    trace: context.trace,
  });
  if (permit) void record.then(permit.settle);
  return { record, relay };
}

/** Throws GatewayError (400) for a wish that nobody could tell from the other one. */
function wantsStrict(header: string | string[] | undefined): boolean {
  const wish = String(header ?? 'false').toLowerCase();
  if (wish === 'true' || wish === 'false') return wish === 'true';
  throw new GatewayError('invalid_request', {
    message: "Invalid header 'x-gateway-strict': supported values are 'true' and 'false'.",
    param: 'x-gateway-strict',
    code: 'invalid_value',
  });
}

/** Milliseconds for which OpenAI's SDKs say they wait for an answer to begin; they send seconds. */
function patienceOf(header: string | string[] | undefined): number {
  const seconds = typeof header === 'string' && /^\d{1,7}(\.\d{1,3})?$/.test(header) ? Number(header) : 0;
  return seconds === 0 ? Infinity : seconds * 1000;
}
