/** Has backends fetch a model, and tells how far they are. */

import { GatewayError, toGatewayError } from '../../core/errors.ts';
import type { Backend, Timeouts } from '../../core/fleet.ts';
import type { ModelsDesk, PullListener } from '../../core/operator.ts';
import type { PullProgress } from '../../core/residency.ts';
import type { ByteText } from '../../core/stream.ts';
import type { Send, UpstreamBody } from '../../core/upstream.ts';
import { createLineReader } from '../../wire/lines.ts';
import { readErrorBody } from '../attempt.ts';
import type { Watch, Watched } from '../watch.ts';
import { errandsForNew, runErrands, type Errand, type ErrandDeps } from './errands.ts';

export interface PullDeps extends ErrandDeps {
  readonly send: Send;
  readonly watch: Watch;
  /** Has all backends probed, so that what was done is seen. */
  readonly probe: () => Promise<void>;
}

const MAX_LINE_BYTES = 64 * 1024;
const NO_HEARTBEAT = { commitAfterMs: 0, everyMs: 0 };

/** The operator has his progress by lines of his own, and no heartbeats. */
const NOBODY = { isCommitted: true, comment: (): undefined => undefined };

export function createPull(deps: PullDeps): ModelsDesk['pull'] {
  const { send, watch, now, probe } = deps;

  async function pullOne(
    { target: { backend, upstreamModel }, kind, methods }: Errand,
    isInsecure: boolean,
    listener: PullListener,
    leaving: AbortSignal,
  ): Promise<void> {
    const silence = new AbortController();
    const client = { relay: NOBODY, deadlineMs: Infinity };
    const watched = watch.start(patienceOf(backend), NO_HEARTBEAT, client, silence);
    try {
      const signal = AbortSignal.any([silence.signal, leaving]);
      const { status, headers, body } = await send(backend, methods.pull(upstreamModel, isInsecure), signal);
      if (status !== 200) {
        throw kind.failure({ status, headers, body: await readErrorBody(body), model: upstreamModel });
      }
      await listen(body, methods.readProgress, watched, listener, backend.name);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      silence.abort(error);
      listener.tell(backend.name, error);
      throw error;
    } finally {
      watch.stop(watched);
    }
  }

  return async (wish, isInsecure, listener, signal) => {
    const results = await runErrands(errandsForNew(wish, deps), now, (errand) =>
      pullOne(errand, isInsecure, listener, signal),
    );
    await probe();
    return results;
  };
}

/** Checking what was fetched takes minutes, and nothing is said meanwhile. */
function patienceOf({ timeouts }: Backend): Timeouts {
  return { ...timeouts, idleMs: timeouts.firstTokenMs, totalMs: 0 };
}

/** Resolves when the server says that all of it is there. */
function listen(
  body: UpstreamBody,
  readProgress: (line: ByteText) => PullProgress,
  watched: Watched,
  listener: PullListener,
  backend: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = createLineReader(MAX_LINE_BYTES, (line) => {
      if (line === '') return;
      const progress = readProgress(line);
      watched.isAnswering = true;
      watched.hasRecord = true;
      const hasRoom = listener.tell(backend, progress);
      if (progress.isDone) resolve();
      if (hasRoom || watched.isPaused) return;
      watched.isPaused = true;
      body.pause();
      listener.onceDrained(() => {
        watched.isPaused = false;
        body.resume();
      });
    });
    body.read({
      chunk(bytes) {
        attempt(() => lines.push(bytes));
      },
      end() {
        attempt(() => lines.end());
        reject(incomplete());
      },
      error: reject,
    });

    function attempt(work: () => void): void {
      try {
        work();
      } catch (error) {
        reject(toGatewayError(error));
      }
    }
  });
}

function incomplete(): GatewayError {
  return new GatewayError('upstream_incomplete_response', {
    message: 'The upstream server stopped telling of its progress before all of the model was there.',
  });
}
