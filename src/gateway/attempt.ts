/** One attempt of an exchange on one backend: send, take the answer through, give the lease back. */

import { GatewayError, toGatewayError } from '../core/errors.ts';
import type { Exchange, Now } from '../core/exchange.ts';
import type { KindName, Lease } from '../core/fleet.ts';
import type { BackendKind } from '../core/kind.ts';
import type { Operation } from '../core/operation.ts';
import { withoutSecrets } from '../core/secrets.ts';
import type { ByteText } from '../core/stream.ts';
import { continuedUsage } from '../core/transcript.ts';
import type { Send, UpstreamBody } from '../core/upstream.ts';
import { encodeUtf8 } from '../wire/utf8.ts';
import type { Progress } from './progress.ts';
import { pump } from './pump.ts';
import { traceAttempt, type TracedAttempt } from './traced.ts';
import type { Heartbeat, Watch } from './watch.ts';

export interface AttemptDeps {
  readonly kinds: Readonly<Record<KindName, BackendKind>>;
  readonly send: Send;
  readonly watch: Watch;
  readonly now: Now;
  readonly heartbeat: Heartbeat;
}

const NO_HEARTBEAT: Heartbeat = { commitAfterMs: 0, everyMs: 0 };
/** Of an error body; more than this says nothing more. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;
const IGNORED_HEADER = 'x-gateway-ignored-params';
const MAX_IGNORED_NAMES = 50;
const MAX_PARAM_LENGTH = 100;

/** Resolves with its failure, if it failed. The lease ends here whatever happens. */
export async function runAttempt(
  deps: AttemptDeps,
  exchange: Exchange,
  lease: Lease,
  progress: Progress,
): Promise<GatewayError | undefined> {
  const { isStream, relay } = exchange;
  const { target } = lease;
  const kind = deps.kinds[target.backend.kind];
  const controller = new AbortController();
  let traced: TracedAttempt | undefined;
  let outcome: 'ok' | GatewayError = 'ok';
  relay.onClose = (reason) => {
    controller.abort(reason);
  };
  const heartbeat = isStream ? deps.heartbeat : NO_HEARTBEAT;
  const watched = deps.watch.start(target.backend.timeouts, heartbeat, exchange, controller);
  try {
    if (relay.closedBy) throw relay.closedBy;
    traced = traceAttempt(exchange, target);
    const body = await openAnswer(deps, exchange, progress, lease, controller.signal, traced);
    const operation = operationOf(exchange);
    const saidBefore = operation.rescue?.transcript.pieces ?? 0;
    const own = operation.createConverter(kind, target);
    const converter = traced?.converter(own) ?? own;
    await pump({
      body,
      converter,
      exchange,
      watched,
      milestones: progress,
      lease: traced?.lease(lease) ?? lease,
      now: deps.now,
    });
    progress.usage = converter.usage && continuedUsage(converter.usage, saidBefore);
    return undefined;
  } catch (thrown) {
    outcome = relay.closedBy ?? toGatewayError(thrown);
    return outcome;
  } finally {
    deps.watch.stop(watched);
    progress.seenTokens += watched.writes;
    relay.onClose = undefined;
    relay.onDrain = undefined;
    if (outcome !== 'ok') controller.abort(outcome);
    lease.release(outcome);
    traced?.end(outcome);
  }
}

/**
 * Sends the request, and once more in another way when the refusal shows one, and gives the body of
 * the answer. Throws what an error status means.
 */
async function openAnswer(
  { kinds, send, now }: AttemptDeps,
  exchange: Exchange,
  progress: Progress,
  lease: Lease,
  signal: AbortSignal,
  traced: TracedAttempt | undefined,
): Promise<UpstreamBody> {
  const operation = operationOf(exchange);
  const { model, promptParam = 'messages' } = operation;
  let { target } = lease;
  const kind = kinds[target.backend.kind];
  for (let isAdapted = false; ; isAdapted = true) {
    tellIgnored(exchange, operation.ignoredParams(kind, target));
    const plain = operation.upstreamRequest(kind, target);
    const upstreamRequest = traced?.request(plain) ?? plain;
    progress.sentMs = now();
    const { status, headers, body } = await send(target.backend, upstreamRequest, signal);
    if (status === 200) return body;
    // Who refuses a request is well.
    if (status >= 400 && status < 500) lease.answered();
    const text = withoutSecrets(await readErrorBody(body), target.backend);
    const refusal = { status, headers, body: text, model, promptParam };
    const adapted = isAdapted ? undefined : kind.adapt?.(refusal, target);
    if (!adapted) throw kind.failure(refusal);
    target = adapted;
  }
}

export function operationOf({ operation }: Exchange): Operation {
  if (!operation) throw new TypeError('the request is gone: an attempt after the commit');
  return operation;
}

/** Nothing that a client sends is dropped in silence. */
function tellIgnored({ isStrict, relay }: Exchange, names: readonly string[]): void {
  if (relay.isCommitted) return;
  const [first] = names;
  // What an earlier attempt ignored is no matter any more.
  relay.header(IGNORED_HEADER, undefined);
  if (first === undefined) return;
  if (isStrict) {
    throw new GatewayError('unsupported_parameter', {
      message: `Unsupported parameter: '${first.slice(0, MAX_PARAM_LENGTH)}' has no effect with this model, and the request is strict.`,
      param: first.slice(0, MAX_PARAM_LENGTH),
    });
  }
  relay.header(IGNORED_HEADER, names.slice(0, MAX_IGNORED_NAMES).map(toHeaderItem).join(', '));
}

/** Names of unknown parameters are the client's own words: what may not stand in a header is percent-encoded. */
function toHeaderItem(name: string): string {
  const bytes = encodeUtf8(name === '' ? '""' : name.slice(0, MAX_PARAM_LENGTH));
  return bytes.replace(
    /[^\w.[\]-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** Not more of it than anybody will read. */
export function readErrorBody(body: UpstreamBody): Promise<ByteText> {
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
