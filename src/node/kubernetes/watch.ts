/** Keeps the EndpointSlices of one Service current: a list, then a watch that goes on from it, for as long as it is wanted. */

import type { Logger } from '../../core/exchange.ts';
import { KubernetesError, type KubernetesApi, type WatchEvent } from './api.ts';
import { endpointsOf, type Endpoint, type Service, type Slice } from './slices.ts';

export interface WatchDeps {
  readonly api: KubernetesApi;
  readonly logger: Logger;
  /** Something may be other than before. */
  readonly onChange: () => void;
  /** Resolves after so long, or when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1: keeps all replicas from coming back in the same moment. */
  readonly random: () => number;
}

export interface ServiceWatch {
  /** Resolves with what is known, after the first list. Rejects with why there is none yet. */
  endpoints(urlPort: number): Promise<Endpoint[]>;
  stop(): void;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 30_000;

export function watchService(service: Service, deps: WatchDeps): ServiceWatch {
  const { api, logger, onChange, sleep, random } = deps;
  const stopped = new AbortController();
  const { signal } = stopped;
  const isStopped = (): boolean => signal.aborted;
  let slices: ReadonlyMap<string, Slice> | undefined;
  /** Since the last word from the API that was an event. */
  let failures = 0;
  /** Why there is nothing known yet. */
  let reason: unknown;
  let settle = (): void => undefined;
  /** The first list has come, or has failed. */
  const first = new Promise<void>((resolve) => {
    settle = resolve;
  });

  async function list(): Promise<string> {
    const found = await api.list(service, signal);
    slices = new Map(found.slices.map((slice) => [slice.name, slice]));
    settle();
    onChange();
    return found.version;
  }

  /** Until the API has forgotten where the watch would go on, or fails. */
  async function follow(from: string): Promise<void> {
    let version = from;
    const onEvent = (event: WatchEvent): void => {
      failures = 0;
      version = event.version;
      if (event.type === 'BOOKMARK') return;
      const next = new Map(slices);
      if (event.type === 'DELETED') next.delete(event.slice.name);
      else next.set(event.slice.name, event.slice);
      slices = next;
      onChange();
    };
    while (!isStopped()) {
      const before = version;
      await api.watch(service, version, onEvent, signal);
      // One that ends at once and says nothing is not asked for again in the same moment.
      if (version === before) await sleep(FIRST_WAIT_MS * (1 + random()), signal);
    }
  }

  async function run(): Promise<void> {
    while (!isStopped()) {
      try {
        await follow(await list());
      } catch (error) {
        if (isStopped()) return;
        reason = error;
        settle();
        // What is known stays: the API may be away while the pods are not.
        failures += 1;
        if (failures === 1 && error instanceof KubernetesError && error.isExpired) continue;
        logger.warn('the pods of a backend cannot be watched', { service: service.name, error });
        const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
        await sleep(waitMs * (0.5 + random() / 2), signal);
      }
    }
  }

  void run();
  return {
    async endpoints(urlPort) {
      await first;
      if (!slices) throw reason;
      return endpointsOf(slices.values(), urlPort);
    },
    stop() {
      stopped.abort();
    },
  };
}
