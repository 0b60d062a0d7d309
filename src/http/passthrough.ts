/** What the gateway does not model under /v1/: chooses the backend, and sends request and answer through raw. */

import type { IncomingHttpHeaders } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { ExchangeRecord, Now } from '../core/exchange.ts';
import type { BackendStatus, Lease, Pool, Target } from '../core/fleet.ts';
import { readBody } from './body.ts';
import { clientOf } from './authenticate.ts';
import { contextOf, type RequestContext } from './context.ts';
import type { Client } from '../core/client.ts';
import { toStatus } from '../gateway/progress.ts';
import type { Forward, ForwardDeps } from './forward.ts';
import { invalidUrl, peekModel, renameModel, toUpstreamHeaders, toUpstreamPath } from './raw-message.ts';

export interface PassthroughDeps extends ForwardDeps {
  readonly pool: Pick<Pool, 'acquire' | 'status'>;
  readonly now: Now;
}

/** TRACE is not among them: it would echo the backend's key. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Who takes what names no model, in this order. */
const DEFAULT_KINDS = ['openai', 'vllm'];

interface Choice {
  readonly targets: readonly Target[];
  /** Of the model, for log and metrics. */
  readonly label: string;
  /** As the client named it. */
  readonly model: string | undefined;
  /** The body, if it was read. */
  readonly json: string | undefined;
}

/** To be mounted with a path of its own (`app.all('/v1/*path', …)`), after the key was checked. */
export function passthrough(deps: PassthroughDeps): RequestHandler {
  let forward: Promise<Forward> | undefined;

  /** The proxy is loaded when it is first needed: many gateways never do. */
  function loadForward(): Promise<Forward> {
    forward ??= import('./forward.ts').then(({ createForward }) => createForward(deps));
    return forward;
  }

  /** Never rejects: the record tells how it ended. */
  async function carry(
    req: Request,
    res: Response,
    path: string,
    { json, model, label }: Choice,
    lease: Lease,
  ): Promise<ExchangeRecord> {
    const { backend, upstreamModel } = lease.target;
    const sentMs = deps.now();
    let outcome: GatewayError | undefined;
    try {
      const body = json === undefined || model === undefined ? json : renameModel(json, upstreamModel);
      const bodyBytes = body === undefined ? undefined : Buffer.byteLength(body);
      const headers = toUpstreamHeaders(req.headers, bodyBytes, backend);
      const send = await loadForward();
      await send({ req, res, backend, path, headers, body, model: model ?? '' });
    } catch (thrown) {
      outcome = toGatewayError(thrown);
    } finally {
      lease.release(outcome ?? 'ok');
    }
    const { id, client, startedMs } = contextOf(res);
    return {
      requestId: id,
      client: client?.name ?? '',
      model: label,
      backend: backend.name,
      isStream: false,
      status: toStatus(outcome),
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
    const path = toUpstreamPath(req.method, req.originalUrl);
    const context = contextOf(res);
    const choice = await choose(req, context, deps.pool);
    const client = clientOf(context);
    const claim = { exchangeId: context.id, client: client.name, priority: client.priority };
    const lease = await deps.pool.acquire(choice.targets, new Set(), claim, () =>
      AbortSignal.any([leaving(res), AbortSignal.timeout(context.generation.queueTimeoutMs)]),
    );
    const record = carry(req, res, path, choice, lease);
    context.record = record;
    const { error } = await record;
    if (error && !res.headersSent) throw error;
  };
}

/** Aborts when the client is gone. What it still has to send waits in its socket meanwhile. */
function leaving(res: Response): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => {
    controller.abort(new GatewayError('client_closed', { message: 'The client closed the connection.' }));
  });
  return controller.signal;
}

/** JSON tells its model; everything else goes to the default backend unread. */
async function choose(req: Request, context: RequestContext, pool: Pick<Pool, 'status'>): Promise<Choice> {
  const { catalog, bodyLimitBytes } = context.generation;
  const client = clientOf(context);
  const json = isPeekable(req.headers, bodyLimitBytes) ? await readBody(req, bodyLimitBytes) : undefined;
  const model = json === undefined ? undefined : peekModel(json);
  if (model === undefined) {
    checkUnrestricted(client);
    return { targets: [defaultTarget(req, pool.status())], label: 'other', model, json };
  }
  const { targets, label } = catalog.resolve(model, client);
  const able = targets.filter(({ backend }) => backend.kind !== 'ollama');
  if (able.length === 0) throw noBackend(req, `has the model \`${model.slice(0, 200)}\``);
  return { targets: able, label, model, json };
}

/** What cannot be looked into may ask for any model. */
function checkUnrestricted({ models }: Client): void {
  if (models === undefined) return;
  throw new GatewayError('permission_denied', {
    message:
      'This API key is for certain models only, and the gateway cannot see which one this request asks for.',
  });
}

function isPeekable(headers: IncomingHttpHeaders, limitBytes: number): boolean {
  const length = Number(headers['content-length'] ?? 0);
  const encoding = headers['content-encoding'] ?? 'identity';
  const isJson = /^\s*application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
  return isJson && encoding === 'identity' && length > 0 && length <= limitBytes;
}

function defaultTarget(req: Request, status: readonly BackendStatus[]): Target {
  const able = DEFAULT_KINDS.flatMap((kind) =>
    status.filter(({ backend }) => backend.kind === kind && backend.weight > 0),
  );
  // When none seems well, the first is asked all the same: it may be back before its probe.
  const chosen = able.find(({ isUp, circuit }) => isUp && circuit === 'closed') ?? able[0];
  if (!chosen) throw noBackend(req, 'is configured for it');
  return {
    backend: chosen.backend,
    upstreamModel: '',
    model: undefined,
    serverVersion: '',
    options: {},
    requestOptions: [],
    completionTemplate: false,
  };
}

function noBackend({ method, originalUrl }: Request, lacking: string): GatewayError {
  return invalidUrl(method, originalUrl, `: no backend of kind openai or vllm ${lacking}.`);
}
