/**
 * Limits of several workers: the primary keeps them in its memory, and workers ask it. One message a
 * question, one an answer; what needs no answer gets none.
 */

import cluster, { type Worker } from 'node:cluster';
import {
  undoing,
  type HeldLease,
  type LimitStore,
  type RemoteStore,
  type Settling,
  type Verdict,
  type Wish,
} from '../../core/limits.ts';
import { inTime } from './in-time.ts';

/** What worker and primary say to each other. */
export type LimitMessage =
  /** Worker to primary. */
  | { readonly limits: 'take'; readonly number: number; readonly wish: Wish }
  | { readonly limits: 'check'; readonly number: number }
  | { readonly limits: 'settle'; readonly settling: Settling }
  | { readonly limits: 'renew'; readonly leases: readonly HeldLease[] }
  /** Primary to worker. */
  | { readonly limits: 'told'; readonly number: number; readonly verdict: Verdict | undefined };

/** One that is held up for longer has the requests of all workers waiting. */
const ANSWER_MS = 1000;

// --- the primary ---

/** For the primary of real workers: asks nothing of anybody and does nothing until it is asked. */
export function answerLimitRequests(store: LimitStore): void {
  const desk = createLimitDesk(store);
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (!isLimitMessage(message)) return;
    desk.hear(worker.id, message, (answer) => {
      // One that has just died waits for nothing.
      if (worker.isConnected()) worker.send(answer, () => undefined);
    });
  });
  cluster.on('exit', (worker) => {
    desk.forget(worker.id);
  });
}

export interface LimitDesk {
  hear(worker: number, message: LimitMessage, answer: (message: LimitMessage) => void): void;
  /** The worker is dead: its leases are free at once. */
  forget(worker: number): void;
}

export function createLimitDesk(store: LimitStore): LimitDesk {
  /** By worker and id, the slots that an exchange holds. */
  const held = new Map<number, Map<string, readonly string[]>>();

  function hold(worker: number, id: string, slots: readonly string[]): void {
    const ids = held.get(worker) ?? new Map<string, readonly string[]>();
    held.set(worker, ids.set(id, slots));
  }

  async function take(worker: number, wish: Wish): Promise<Verdict> {
    if (wish.slots.length === 0) return store.take(wish);
    // Before anything is awaited: the worker may die meanwhile.
    const slots = wish.slots.map(({ key }) => key);
    hold(worker, wish.id, slots);
    const verdict = await store.take(wish);
    const isForgotten = !held.get(worker)?.has(wish.id);
    if (!verdict.isTaken) held.get(worker)?.delete(wish.id);
    else if (isForgotten) await store.settle({ id: wish.id, corrections: [], slots });
    return verdict;
  }

  return {
    hear(worker, message, answer) {
      switch (message.limits) {
        case 'take': {
          const { number, wish } = message;
          const tell = (verdict?: Verdict): void => answer({ limits: 'told', number, verdict });
          take(worker, wish).then(tell, () => tell());
          break;
        }
        case 'check':
          answer({ limits: 'told', number: message.number, verdict: undefined });
          break;
        case 'settle':
          held.get(worker)?.delete(message.settling.id);
          store.settle(message.settling).catch(ignore);
          break;
        case 'renew':
          for (const { id, key } of message.leases) {
            const slots = held.get(worker)?.get(id) ?? [];
            if (!slots.includes(key)) hold(worker, id, [...slots, key]);
          }
          store.renew(message.leases).catch(ignore);
          break;
        case 'told':
      }
    },
    forget(worker) {
      for (const [id, slots] of held.get(worker) ?? []) {
        store.settle({ id, corrections: [], slots }).catch(ignore);
      }
      held.delete(worker);
    },
  };
}

/** Whatever becomes of the store, the primary has workers to look after. */
const ignore = (): undefined => undefined;

// --- a worker ---

/** A worker's way to the primary, and back. */
export interface LimitChannel {
  /** false: the primary is gone. */
  send(message: LimitMessage): boolean;
  onMessage(listen: (message: LimitMessage) => void): void;
}

/** The one that Node gives to a worker. */
export function primaryChannel(): LimitChannel {
  return {
    send(message) {
      if (!process.connected) return false;
      // Without somebody to tell, a primary that dies meanwhile would be an uncaught error.
      process.send?.(message, undefined, undefined, () => undefined);
      return true;
    },
    onMessage(listen) {
      process.on('message', (message: unknown) => {
        if (isLimitMessage(message)) listen(message);
      });
    },
  };
}

/** `channel`: to the primary. */
export function createClusterStore(channel: LimitChannel): RemoteStore {
  /** By number of the question. */
  const answers = new Map<number, (verdict: Verdict | undefined) => void>();
  let nextNumber = 0;

  channel.onMessage((message) => {
    if (message.limits !== 'told') return;
    answers.get(message.number)?.(message.verdict);
    answers.delete(message.number);
  });

  function ask(
    number: number,
    question: LimitMessage,
    late?: (verdict: Verdict | undefined) => void,
  ): Promise<Verdict | undefined> {
    if (!channel.send(question)) return Promise.reject(new Error('the primary is gone'));
    const answer = new Promise<Verdict | undefined>((resolve) => answers.set(number, resolve));
    return inTime(answer, ANSWER_MS, 'the primary', late);
  }

  return {
    async take(wish) {
      const number = nextNumber++;
      const verdict = await ask(number, { limits: 'take', number, wish }, (late) => {
        if (late?.isTaken) channel.send({ limits: 'settle', settling: undoing(wish, late) });
      });
      if (!verdict) throw new Error('the primary could not tell');
      return verdict;
    },
    async check() {
      const number = nextNumber++;
      await ask(number, { limits: 'check', number });
    },
    settle(settling) {
      channel.send({ limits: 'settle', settling });
      return Promise.resolve();
    },
    renew(leases) {
      if (leases.length > 0) channel.send({ limits: 'renew', leases });
      return Promise.resolve();
    },
  };
}

function isLimitMessage(message: unknown): message is LimitMessage {
  return typeof message === 'object' && message !== null && 'limits' in message;
}
