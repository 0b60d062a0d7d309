/** Loads models into the memory of backends, and takes them out of it. */

import { GatewayError } from '../../core/errors.ts';
import type { ModelsDesk } from '../../core/operator.ts';
import type { UpstreamRequest, UpstreamResponse } from '../../core/upstream.ts';
import { readErrorBody } from '../attempt.ts';
import { errandsFor, runErrands, unlessAllFailed, type Errand, type ErrandDeps } from './errands.ts';
import { createPull, type PullDeps } from './pull.ts';

export interface ModelsDeskDeps extends ErrandDeps, PullDeps {
  /** A signal that aborts after so long. */
  readonly timeout: (ms: number) => AbortSignal;
}

export function createModelsDesk(deps: ModelsDeskDeps): ModelsDesk {
  const { send, timeout, now, probe } = deps;

  /** As long as a first token may take: most of that is loading. */
  async function sendOne(
    { target, kind }: Errand,
    model: string,
    request: UpstreamRequest,
    leaving: AbortSignal,
  ): Promise<void> {
    const { firstTokenMs } = target.backend.timeouts;
    const signal = firstTokenMs === 0 ? leaving : AbortSignal.any([leaving, timeout(firstTokenMs)]);
    let response: UpstreamResponse;
    try {
      response = await send(target.backend, request, signal);
    } catch (error) {
      throw signal.aborted && !leaving.aborted ? tooLong(firstTokenMs) : error;
    }
    const { status, headers, body } = response;
    if (status !== 200) throw kind.failure({ status, headers, body: await readErrorBody(body), model });
    body.discard();
  }

  async function everywhere(
    wish: Parameters<ModelsDesk['unload']>[0],
    signal: AbortSignal,
    toRequest: (errand: Errand) => UpstreamRequest,
  ): ReturnType<ModelsDesk['unload']> {
    const results = await runErrands(errandsFor(wish, deps), now, (errand) =>
      sendOne(errand, wish.model, toRequest(errand), signal),
    );
    await probe();
    return unlessAllFailed(results);
  }

  return {
    warm: (wish, keepAlive, signal) =>
      everywhere(wish, signal, ({ methods, target }) => methods.load(target, keepAlive)),
    unload: (wish, signal) => everywhere(wish, signal, ({ methods, target }) => methods.unload(target)),
    pull: createPull(deps),
  };
}

function tooLong(ms: number): GatewayError {
  return new GatewayError('upstream_first_token_timeout', {
    message: `The upstream server was not done within ${String(ms / 1000)} s.`,
  });
}
