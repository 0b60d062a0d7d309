/** The use case: one exchange from request to last byte, on as many backends as it takes. */

import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { Helpers, Operation } from '../core/operation.ts';
import type { ActiveExchange, Exchange, ExchangeRecord, Now, Relay, StreamStatus } from '../core/exchange.ts';
import type { Catalog, KindName, Lease, Pool, Resolution, Target } from '../core/fleet.ts';
import type { BackendKind } from '../core/kind.ts';
import type { Send, UpstreamBody } from '../core/upstream.ts';
import type { ByteText, Usage } from '../core/stream.ts';
import { runParts } from './parts.ts';
import { pump, type Milestones } from './pump.ts';
import type { Heartbeat, Watch } from './watch.ts';

export interface DispatchDeps {
  readonly catalog: Catalog;
  readonly pool: Pool;
  readonly kinds: Readonly<Record<KindName, BackendKind>>;
  readonly send: Send;
  readonly watch: Watch;
  readonly now: Now;
  readonly helpers: Helpers;
  /** A signal that aborts when a request has waited too long for a slot. */
  readonly queueTimeout: () => AbortSignal;
  readonly heartbeat: Heartbeat;
  readonly maxAttempts: number;
}

export interface Dispatch {
  /** Never rejects: the record tells how it ended. A failure after the commit was told in the stream. */
  run(exchange: Exchange): Promise<ExchangeRecord>;
  /** The exchanges going on. */
  active(): Iterable<ActiveExchange>;
}

/** What is learned on the way and ends in the record. */
interface Progress extends ActiveExchange, Milestones {
  model: string;
  backend: string;
  attempts: number;
  sentMs: number | undefined;
  usage: Usage | null;
}

const NO_HEARTBEAT: Heartbeat = { commitAfterMs: 0, everyMs: 0 };
/** Of an error body; more than this says nothing more. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;
const RETRY_AFTER_SECONDS = 1;
const IGNORED_HEADER = 'x-gateway-ignored-params';
/** What may stand in a header of names that clients made up. */
const PARAM_NAME = /^[\w.-]{1,64}$/;
const MAX_IGNORED_NAMES = 50;
const MAX_PARAM_LENGTH = 100;

export function createDispatch(deps: DispatchDeps): Dispatch {
  const { catalog, pool, kinds, send, watch, now } = deps;
  const active = new Set<Progress>();

  async function run(exchange: Exchange): Promise<ExchangeRecord> {
    const { surface, relay } = exchange;
    const progress = createProgress(exchange);
    let error: GatewayError | undefined;
    active.add(progress);
    try {
      const resolution = catalog.resolve(operationOf(exchange).model);
      progress.model = resolution.label;
      checkType(operationOf(exchange), resolution);
      if (isOneCall(exchange)) await runAttempts(exchange, resolution, progress);
      else await runInParts(exchange, resolution, progress);
    } catch (thrown) {
      error = relay.closedBy ?? toGatewayError(thrown);
      if (relay.isCommitted && error.reason !== 'client_closed') relay.end(surface.errorEvent(error));
    } finally {
      active.delete(progress);
    }
    return toRecord(progress, error, now());
  }

  /** What must be fetched first, and requests that take several calls. */
  async function runInParts(exchange: Exchange, resolution: Resolution, progress: Progress): Promise<void> {
    const targetKinds = resolution.targets.map(({ backend }) => kinds[backend.kind]);
    const { prepare } = operationOf(exchange);
    if (prepare) {
      exchange.operation = await whileOpen(exchange.relay, (signal) =>
        prepare(targetKinds, deps.helpers, signal),
      );
    }
    const split = operationOf(exchange).split?.(targetKinds);
    if (!split) {
      await runAttempts(exchange, resolution, progress);
      return;
    }
    exchange.operation = null;
    progress.usage = await runParts(split, exchange, async (part) => {
      const own = createProgress(part);
      try {
        await runAttempts(part, resolution, own);
      } finally {
        addProgress(progress, own);
      }
      return own.usage;
    });
  }

  /** Tries backend after backend while nothing has reached the client. */
  async function runAttempts(exchange: Exchange, resolution: Resolution, progress: Progress): Promise<void> {
    const tried = new Set<string>();
    let failure: GatewayError | undefined;
    while (tried.size < deps.maxAttempts) {
      const lease =
        takeLease(exchange, resolution, tried, failure) ?? (await queueForLease(exchange, resolution, tried));
      tried.add(lease.target.backend.name);
      progress.attempts++;
      progress.backend = lease.target.backend.name;
      failure = await runAttempt(exchange, lease, progress);
      if (failure === undefined) return;
      if (exchange.relay.isCommitted || exchange.relay.closedBy || !failure.tryOthers) throw failure;
    }
    throw failure ? lastFailure(failure) : new TypeError('no attempt is allowed');
  }

  /**
   * undefined when all are busy and waiting may help. When nothing is left to try, the failure that
   * led here says more than that.
   */
  function takeLease(
    exchange: Exchange,
    { targets }: Resolution,
    tried: ReadonlySet<string>,
    failure: GatewayError | undefined,
  ): Lease | undefined {
    try {
      return pool.lease(targets, tried, exchange.id);
    } catch (thrown) {
      if (failure !== undefined) throw lastFailure(failure);
      const error = toGatewayError(thrown);
      if (error.reason === 'server_overloaded') return undefined;
      throw error;
    }
  }

  /** Throws server_overloaded when there is no room to wait, or no slot in time. */
  function queueForLease(
    { id, relay }: Exchange,
    { targets }: Resolution,
    tried: ReadonlySet<string>,
  ): Promise<Lease> {
    return whileOpen(relay, (signal) => {
      const either = AbortSignal.any([signal, deps.queueTimeout()]);
      return pool.queue(targets, tried, id, either);
    });
  }

  /** One attempt on one backend; its failure, if it failed. The lease ends here whatever happens. */
  async function runAttempt(
    exchange: Exchange,
    lease: Lease,
    progress: Progress,
  ): Promise<GatewayError | undefined> {
    const { isStream, relay } = exchange;
    const { target } = lease;
    const kind = kinds[target.backend.kind];
    const controller = new AbortController();
    let outcome: 'ok' | GatewayError = 'ok';
    relay.onClose = (reason) => {
      controller.abort(reason);
    };
    const heartbeat = isStream ? deps.heartbeat : NO_HEARTBEAT;
    const watched = watch.start(target.backend.timeouts, heartbeat, relay, controller);
    try {
      if (relay.closedBy) throw relay.closedBy;
      const body = await openAnswer(exchange, progress, target, controller.signal);
      const converter = operationOf(exchange).createConverter(kind, target);
      await pump(body, converter, exchange, watched, progress, now);
      progress.usage = converter.usage;
      return undefined;
    } catch (thrown) {
      outcome = relay.closedBy ?? toGatewayError(thrown);
      return outcome;
    } finally {
      watch.stop(watched);
      relay.onClose = undefined;
      relay.onDrain = undefined;
      if (outcome !== 'ok') controller.abort(outcome);
      lease.release(outcome);
    }
  }

  /** Sends the request and gives the body of its answer. Throws what an error status means. */
  async function openAnswer(
    exchange: Exchange,
    progress: Progress,
    target: Target,
    signal: AbortSignal,
  ): Promise<UpstreamBody> {
    const kind = kinds[target.backend.kind];
    const operation = operationOf(exchange);
    tellIgnored(exchange, operation.ignoredParams(kind, target), progress.attempts > 1);
    const upstreamRequest = operation.upstreamRequest(kind, target);
    progress.sentMs = now();
    const { status, headers, body } = await send(target.backend, upstreamRequest, signal);
    if (status === 200) return body;
    const { model, promptParam = 'messages' } = operation;
    throw kind.failure({ status, headers, body: await readErrorBody(body), model, promptParam });
  }

  return { run, active: () => active };
}

function createProgress(exchange: Exchange): Progress {
  return {
    exchange,
    model: 'other',
    backend: '',
    attempts: 0,
    sentMs: undefined,
    firstTokenMs: undefined,
    firstWriteMs: undefined,
    usage: null,
  };
}

/** The whole began with the first of its parts. */
function addProgress(whole: Progress, part: Progress): void {
  whole.backend = part.backend;
  whole.attempts += part.attempts;
  whole.sentMs = earlier(whole.sentMs, part.sentMs);
  whole.firstTokenMs = earlier(whole.firstTokenMs, part.firstTokenMs);
  whole.firstWriteMs = earlier(whole.firstWriteMs, part.firstWriteMs);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

/** Throws GatewayError (400) when the operator said that the model is for something else. */
function checkType({ model, wantsVectors = false }: Operation, { type }: Resolution): void {
  if (type === undefined || (type === 'embedding') === wantsVectors) return;
  throw new GatewayError('unsupported_parameter', {
    message: `The model \`${model}\` is for ${wantsVectors ? 'text' : 'embeddings'} on this gateway. Choose another.`,
    param: 'model',
  });
}

/** Also keeps the operation out of the frame of a long stream. */
function isOneCall(exchange: Exchange): boolean {
  const { prepare, split } = operationOf(exchange);
  return prepare === undefined && split === undefined;
}

function operationOf({ operation }: Exchange): Operation {
  if (!operation) throw new TypeError('the request is gone: an attempt after the commit');
  return operation;
}

/** Nothing that a client sends is dropped in silence. */
function tellIgnored({ isStrict, relay }: Exchange, names: readonly string[], isRetry: boolean): void {
  const [first] = names;
  if (isRetry) relay.header(IGNORED_HEADER, undefined);
  if (first === undefined) return;
  if (isStrict) {
    throw new GatewayError('unsupported_parameter', {
      message: `Unsupported parameter: '${first.slice(0, MAX_PARAM_LENGTH)}' has no effect with this model, and the request is strict.`,
      param: first.slice(0, MAX_PARAM_LENGTH),
    });
  }
  // Names of unknown parameters are the client's own words: only what may stand in a header.
  const printable = names.filter((name) => PARAM_NAME.test(name)).slice(0, MAX_IGNORED_NAMES);
  relay.header(IGNORED_HEADER, printable.join(', '));
}

/** Runs with a signal that aborts when the client leaves. */
async function whileOpen<T>(relay: Relay, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  relay.onClose = (reason) => {
    controller.abort(reason);
  };
  try {
    if (relay.closedBy) throw relay.closedBy;
    return await run(controller.signal);
  } finally {
    relay.onClose = undefined;
  }
}

/** Nobody could be reached: that is the fleet's state, and not one backend's failure. */
function lastFailure(failure: GatewayError): GatewayError {
  if (failure.reason !== 'upstream_unavailable' && failure.reason !== 'upstream_connect_timeout') {
    return failure;
  }
  return new GatewayError('no_backend_available', {
    message: 'No backend of this model can be reached now. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause: failure,
  });
}

function readErrorBody(body: UpstreamBody): Promise<ByteText> {
  return new Promise((resolve, reject) => {
    let text = '';
    function end(): void {
      resolve(text.slice(0, MAX_ERROR_BODY_BYTES) as ByteText);
    }
    body.read({
      chunk(bytes) {
        if (text.length < MAX_ERROR_BODY_BYTES) text += bytes;
        if (text.length < MAX_ERROR_BODY_BYTES) return;
        body.discard();
        end();
      },
      end,
      error: reject,
    });
  });
}

function toRecord(progress: Progress, error: GatewayError | undefined, endMs: number): ExchangeRecord {
  const { exchange } = progress;
  const { startedMs } = exchange;
  const { sentMs, firstTokenMs, firstWriteMs } = progress;
  const wasSent = sentMs !== undefined;
  const wasHeard = firstTokenMs !== undefined && firstWriteMs !== undefined;
  return {
    requestId: exchange.id,
    client: exchange.client,
    model: progress.model,
    backend: progress.backend,
    isStream: exchange.isStream,
    status: toStatus(error),
    error,
    attempts: progress.attempts,
    durationMs: endMs - startedMs,
    ttftMs: wasHeard ? firstWriteMs - startedMs : undefined,
    inferenceMs: wasSent ? endMs - sentMs : undefined,
    // An answer in one piece is held until its end, which is the backend's time and not ours.
    overheadMs:
      wasSent && wasHeard
        ? sentMs - startedMs + (exchange.isStream ? firstWriteMs - firstTokenMs : 0)
        : undefined,
    usage: progress.usage,
  };
}

function toStatus(error: GatewayError | undefined): StreamStatus {
  if (error === undefined) return 'completed';
  if (error.reason === 'client_closed') return 'client_aborted';
  if (error.reason === 'shutting_down' || error.reason === 'request_cancelled') return 'shutdown';
  return error.reason.endsWith('_timeout') ? 'timeout' : 'upstream_error';
}
