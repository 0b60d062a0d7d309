/** The use case: one exchange from request to last byte, on as many backends as it takes. */

import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { ActiveExchange, Exchange, ExchangeRecord, Relay } from '../core/exchange.ts';
import type { Catalog, Claim, Describe, Lease, Pool, Resolution, Target } from '../core/fleet.ts';
import type { Helpers, Operation } from '../core/operation.ts';
import { described, isUnknown, requireAble } from './able.ts';
import { operationOf, runAttempt, type AttemptDeps } from './attempt.ts';
import { runParts } from './parts.ts';
import { addProgress, createProgress, toRecord, type Progress } from './progress.ts';
import type { RetryBudget } from './retry-budget.ts';
import { deadlineExceeded } from './watch.ts';

export interface DispatchDeps extends AttemptDeps {
  readonly catalog: Catalog;
  readonly describe: Describe;
  readonly pool: Pool;
  /** For one request. */
  readonly helpers: () => Helpers;
  readonly retryBudget: RetryBudget;
  /** A signal that aborts when a request has waited for a slot for so long. */
  readonly timeout: (ms: number) => AbortSignal;
  readonly queueTimeoutMs: number;
  readonly maxAttempts: number;
  /** The exchanges going on, of this dispatch and others. */
  readonly active: Pick<Set<ActiveExchange>, 'add' | 'delete'>;
}

export interface Dispatch {
  /** Never rejects: the record tells how it ended. A failure after the commit was told in the stream. */
  run(exchange: Exchange): Promise<ExchangeRecord>;
}

const RETRY_AFTER_SECONDS = 1;
const RESCUED = 'rescued: another backend goes on from here';

export function createDispatch(deps: DispatchDeps): Dispatch {
  const { catalog, describe, pool, kinds, now, active } = deps;

  async function run(exchange: Exchange): Promise<ExchangeRecord> {
    const { surface, relay } = exchange;
    const progress = createProgress(exchange);
    let error: GatewayError | undefined;
    active.add(progress);
    deps.retryBudget.request();
    try {
      const resolved = catalog.resolve(operationOf(exchange).model, exchange.client);
      const resolution = resolved.targets.some(isUnknown) ? await described(resolved, describe) : resolved;
      progress.model = resolution.label;
      checkType(operationOf(exchange), resolution);
      if (isOneCall(exchange)) await runAttempts(exchange, resolution, progress);
      else await runInParts(exchange, resolution, progress);
    } catch (thrown) {
      error = relay.closedBy ?? toGatewayError(thrown);
      if (error.reason === 'client_stalled') relay.destroy();
      else if (relay.isCommitted && error.reason !== 'client_closed') relay.end(surface.errorEvent(error));
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
      requireAble(operationOf(exchange), resolution.targets, kinds);
      exchange.operation = await whileOpen(exchange.relay, (signal) =>
        prepare(targetKinds, deps.helpers(), signal),
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

  /** Tries backend after backend while nothing has reached the client, or while the rest can be had elsewhere. */
  async function runAttempts(exchange: Exchange, given: Resolution, progress: Progress): Promise<void> {
    const { relay } = exchange;
    const tried = new Set<string>();
    let { targets } = given;
    let failure: GatewayError | undefined;
    let hasSlipped = false;
    for (;;) {
      const lease = await nextLease(exchange, targets, tried, failure, progress);
      if (failure) tellNext(exchange, progress, failure, lease);
      tried.add(lease.target.backend.name);
      progress.attempts++;
      progress.backend = lease.target.backend.name;
      if (relay.isCommitted) {
        progress.rescues++;
        relay.comment(RESCUED);
      }
      failure = await runAttempt(deps, exchange, lease, progress);
      if (failure === undefined) return;
      if (relay.closedBy || !failure.tryOthers || progress.attempts >= deps.maxAttempts) {
        throw lastFailure(failure);
      }
      if (relay.isCommitted) {
        exchange.operation = continuedOperation(exchange, failure);
        targets = targets.filter(({ backend }) => kinds[backend.kind].canContinue);
      } else if (failure.reason === 'tool_call_parse_error' && !hasSlipped) {
        // The model slipped, and not the backend: it may be asked once more.
        hasSlipped = true;
        tried.delete(progress.backend);
      }
      if (!deps.retryBudget.take()) {
        progress.wasRetryRefused = true;
        exchange.trace?.event('retry_refused', { backend: progress.backend, failure });
        throw lastFailure(failure);
      }
    }
  }

  /** When nothing is left to try, the failure that led here says more than that. */
  async function nextLease(
    exchange: Exchange,
    targets: readonly Target[],
    tried: ReadonlySet<string>,
    failure: GatewayError | undefined,
    progress: Progress,
  ): Promise<Lease> {
    try {
      const lease = takeLease(exchange, targets, tried, progress);
      return lease instanceof Promise ? await lease : lease;
    } catch (error) {
      if (failure) deps.retryBudget.giveBack();
      throw failure && !exchange.relay.closedBy ? lastFailure(failure) : error;
    }
  }

  /** At once when a slot is free, else in line: until the client leaves, or has waited long enough. */
  function takeLease(
    exchange: Exchange,
    targets: readonly Target[],
    tried: ReadonlySet<string>,
    progress: Progress,
  ): Lease | Promise<Lease> {
    const { id: exchangeId, client, relay, deadlineMs } = exchange;
    const claim: Claim = { exchangeId, client: client.name, priority: client.priority };
    const startedMs = now();
    const leaving = new AbortController();
    const lease = pool.acquire(targets, tried, claim, () => {
      const leftMs = Math.max(0, deadlineMs - startedMs);
      if (leftMs > deps.queueTimeoutMs) {
        return AbortSignal.any([leaving.signal, deps.timeout(deps.queueTimeoutMs)]);
      }
      // Timers take whole milliseconds only.
      deps.timeout(Math.ceil(leftMs)).addEventListener('abort', () => {
        leaving.abort(deadlineExceeded());
      });
      return leaving.signal;
    });
    if (!(lease instanceof Promise)) return lease;
    relay.onClose = (reason) => {
      leaving.abort(reason);
    };
    return lease.finally(() => {
      relay.onClose = undefined;
      progress.queueMs = (progress.queueMs ?? 0) + now() - startedMs;
    });
  }

  return { run };
}

/** Another attempt makes up for the one that failed. */
function tellNext({ relay, trace }: Exchange, progress: Progress, failure: GatewayError, next: Lease): void {
  const { backend } = progress;
  progress.failovers.push({ backend, reason: failure.reason });
  const again = backend === next.target.backend.name ? 'retry' : 'failover';
  trace?.event(relay.isCommitted ? 'rescue' : again, { backend, failure });
}

/** Throws the failure when the answer cannot be gone on with. */
function continuedOperation(exchange: Exchange, failure: GatewayError): Operation {
  const isDeath = failure.countsAgainstBackend;
  const continued = isDeath ? exchange.operation?.rescue?.continued() : undefined;
  if (!continued) throw failure;
  return continued;
}

/** Throws GatewayError (400) when the operator said that the model is for something else. */
export function checkType({ model, wantsVectors = false }: Operation, { type }: Resolution): void {
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
