/** A store that may be gone, and one in memory that stands in for it meanwhile. */

import { GatewayError } from '../core/errors.ts';
import type { Now } from '../core/exchange.ts';
import type { LimitStore, RemoteStore } from '../core/limits.ts';

export interface InsuredOptions {
  readonly remote: RemoteStore;
  readonly insurance: LimitStore;
  /** Nobody with a limit is served while the store is gone. */
  readonly isFailClosed: () => boolean;
  readonly now: Now;
  /** `cause`: why it is gone. */
  readonly changed: (isUp: boolean, cause?: unknown) => void;
}

export interface InsuredStore extends LimitStore {
  readonly isUp: boolean;
  /** For who hears that the store is gone before anybody asks it. */
  lose(cause: unknown): void;
  /** For who hears that it may be back. */
  recheck(): void;
}

/** Between two looks at a store that is gone. */
const RECHECK_MS = 1000;
const RETRY_AFTER_SECONDS = 1;

/** Nobody waits for a store that is known to be gone: it is looked at beside the requests. */
export function createInsuredStore({
  remote,
  insurance,
  isFailClosed,
  now,
  changed,
}: InsuredOptions): InsuredStore {
  let isUp = true;
  let checkedMs = -Infinity;
  /** Exchanges that the insurance knows. */
  const insured = new Set<string>();

  function lose(cause: unknown): void {
    if (!isUp) return;
    isUp = false;
    checkedMs = now();
    changed(false, cause);
  }

  function regain(): void {
    if (isUp) return;
    isUp = true;
    changed(true);
  }

  function recheck(): void {
    if (isUp) return;
    checkedMs = now();
    remote.check().then(regain, () => undefined);
  }

  async function whileUp(work: () => Promise<void>): Promise<void> {
    if (!isUp) return;
    await work().catch(lose);
  }

  return {
    get isUp() {
      return isUp;
    },
    lose,
    recheck,

    async take(wish) {
      if (isUp) {
        try {
          return await remote.take(wish);
        } catch (cause) {
          lose(cause);
        }
      } else if (now() - checkedMs >= RECHECK_MS) {
        recheck();
      }
      if (isFailClosed()) throw unavailable();
      const verdict = await insurance.take(wish);
      if (verdict.isTaken) insured.add(wish.id);
      return verdict;
    },

    async settle(settling) {
      if (!insured.delete(settling.id)) {
        await whileUp(() => remote.settle(settling));
        return;
      }
      await insurance.settle(settling);
      // It may have been told of the lease when it came back.
      if (settling.slots.length > 0) await whileUp(() => remote.settle({ ...settling, corrections: [] }));
    },

    async renew(leases) {
      if (!isUp) recheck();
      await insurance.renew(leases.filter(({ id }) => insured.has(id)));
      await whileUp(() => remote.renew(leases));
    },
  };
}

function unavailable(): GatewayError {
  return new GatewayError('limits_unavailable', {
    message: 'The limits of this API key cannot be checked now. Try again soon.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
