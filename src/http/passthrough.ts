/** What the gateway does not model under /v1/: takes a lease, and sends request and answer through raw. */

import type { Request, RequestHandler, Response } from 'express';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { Permit } from '../core/client.ts';
import type { ActiveExchange, ExchangeRecord, Meter, Now } from '../core/exchange.ts';
import type { Lease, Pool } from '../core/fleet.ts';
import type { ByteText, Owned } from '../core/stream.ts';
import type { AttemptTrace } from '../core/tracing.ts';
import { toStatus } from '../gateway/progress.ts';
import { clientOf } from './authenticate.ts';
import { contextOf, type RequestContext } from './context.ts';
import type { Forward, ForwardDeps } from './forward.ts';
import { setHeaders } from './headers.ts';
import { chooseByBody, type Choose, type RawChoice } from './raw-choice.ts';
import { renameModel, toUpstreamHeaders } from './raw-message.ts';
import { createRelay } from './relay.ts';

export interface PassthroughDeps extends ForwardDeps {
  readonly pool: Pick<Pool, 'acquire' | 'status'>;
  /** Lists an exchange as going on; to be called back at its end. */
  readonly track: (exchange: ActiveExchange) => () => void;
  readonly meter: Pick<Meter, 'passed'>;
  readonly now: Now;
}

/** TRACE is not among them: it would echo the backend's key. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

const FIRST_ERROR_STATUS = 400;

/** To be mounted with a path of its own (`app.all('/v1/*path', …)`), after the key was checked. */
export function passthrough(deps: PassthroughDeps, choose: Choose = chooseByBody): RequestHandler {
  let forward: Promise<Forward> | undefined;

  /** The proxy is loaded when it is first needed: many gateways never do. */
  function loadForward(): Promise<Forward> {
    forward ??= import('./forward.ts').then(({ createForward }) => createForward(deps));
    return forward;
  }

  /** Until the client leaves, the operator ends it, or it has waited long enough. */
  async function takeLease(
    { relay }: RawExchange['exchange'],
    targets: RawChoice['targets'],
    context: RequestContext,
  ): Promise<Lease> {
    const client = clientOf(context);
    const claim = { exchangeId: context.id, client: client.name, priority: client.priority };
    const leaving = new AbortController();
    relay.onClose = (reason) => {
      leaving.abort(reason);
    };
    try {
      if (relay.closedBy) throw relay.closedBy;
      return await deps.pool.acquire(targets, new Set(), claim, () =>
        AbortSignal.any([leaving.signal, AbortSignal.timeout(context.generation.queueTimeoutMs)]),
      );
    } finally {
      relay.onClose = undefined;
    }
  }

  /** Never rejects: the record tells how it ended. */
  async function carry(
    req: Request,
    res: Response,
    { json, model, label, pathOf, allow }: RawChoice,
    lease: Lease,
    exchange: RawExchange['exchange'],
  ): Promise<ExchangeRecord> {
    const { backend, upstreamModel } = lease.target;
    const sentMs = deps.now();
    let outcome: GatewayError | undefined;
    let trace: AttemptTrace | undefined;
    try {
      const path = pathOf(upstreamModel);
      trace = contextOf(res).trace?.call({ backend, method: req.method, path });
      const body = json === undefined || model === undefined ? json : renameModel(json, upstreamModel);
      const bodyBytes = body === undefined ? undefined : Buffer.byteLength(body);
      const headers = { ...toUpstreamHeaders(req.headers, bodyBytes, backend), ...trace?.headers };
      const send = await loadForward();
      await send({ req, res, backend, path, headers, body, model: model ?? '', allow, exchange });
    } catch (thrown) {
      outcome = toGatewayError(thrown);
    } finally {
      lease.release(outcome ?? 'ok');
      trace?.end({ error: outcome, usage: null, model: '', finishReasons: [], answer: '' as ByteText });
    }
    const { id, client, startedMs, isStream } = exchange;
    return {
      requestId: id,
      client: client.name,
      keyId: client.keyId,
      model: label,
      backend: backend.name,
      isStream,
      status: toStatus(outcome, 1),
      error: outcome,
      attempts: 1,
      failovers: [],
      wasRetryRefused: false,
      rescues: 0,
      queueMs: undefined,
      durationMs: deps.now() - startedMs,
      ttftMs: undefined,
      inferenceMs: deps.now() - sentMs,
      overheadMs: undefined,
      usage: null,
      seenTokens: 0,
    };
  }

  return async (req, res) => {
    if (!METHODS.includes(req.method)) {
      res.setHeader('allow', METHODS.join(', '));
      throw new GatewayError('method_not_supported', { message: `Not allowed to ${req.method}.` });
    }
    const context = contextOf(res);
    const choice = await choose(req, context, deps.pool.status);
    const permit = await admit(context, choice, res);
    const active = toActive(res, context, choice);
    const forget = deps.track(active);
    let error: GatewayError | undefined;
    try {
      const lease = await takeLease(active.exchange, choice.targets, context);
      active.backend = lease.target.backend.name;
      const record = carry(req, res, choice, lease, active.exchange);
      context.record = record;
      ({ error } = await record);
      deps.meter.passed(await record);
    } catch (thrown) {
      error = toGatewayError(thrown);
    } finally {
      forget();
      const isServed = res.headersSent && res.statusCode < FIRST_ERROR_STATUS;
      permit?.settle({ error: isServed ? undefined : error, usage: null, seenTokens: 0 });
    }
    if (error && !res.headersSent) throw error;
  };
}

/** One more of the client's requests, for as long as it goes on. Its tokens are not counted. */
async function admit(
  context: RequestContext,
  { model = '' }: RawChoice,
  res: Response,
): Promise<Permit | undefined> {
  const demand = { model, estimateTokens: () => undefined };
  const permit = await context.generation.admission.admit(clientOf(context), demand);
  if (permit) setHeaders(res, permit.headers);
  return permit;
}

/** As it goes on: its backend, and whether it is a stream, are known later. */
interface RawExchange extends Owned<ActiveExchange> {
  readonly exchange: Owned<ActiveExchange['exchange']>;
}

function toActive(res: Response, context: RequestContext, { label }: RawChoice): RawExchange {
  const { id, startedMs } = context;
  const relay = createRelay(res, false);
  const exchange = { id, startedMs, client: clientOf(context), isStream: false, relay };
  return { exchange, model: label, backend: '', isRaw: true };
}
