/** Several processes on one port: the primary forks workers, replaces those that die, and drains all. */

import cluster, { type Worker } from 'node:cluster';
import type { Logger } from '../core/exchange.ts';
import { relayQuestions } from './cluster-questions.ts';
import { keepConnections } from './handover.ts';

/** A worker that dies at once is replaced ever more slowly; the others are not. */
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5000;
/** Who lived so long did not die of its start. */
const STABLE_AFTER_MS = 10_000;

export interface ClusterOptions {
  readonly workers: number;
  /** How many ports each worker opens. */
  readonly ports: number;
  /** Added to the environment of each worker; `isFirst` is one of the first start. */
  env(index: number, isFirst: boolean): Readonly<Record<string, string>>;
  readonly logger: Logger;
}

/** What the primary says to its workers; a worker says `reload` to have it said to the others. */
export type WorkerOrder = 'drain' | 'reload';

/**
 * Runs until all workers have ended after a signal; resolves with the exit code. A worker that ends
 * before any has listened is a start that cannot succeed, and its code is the program's.
 */
export function runPrimary({ workers, ports, env, logger }: ClusterOptions): Promise<number> {
  let isStopping = false;
  let hasListened = false;
  /** By index: how long its last replacement was put off. */
  const restarts = new Map<number, number>();
  /** By worker id: which of the workers it is, and when it was born. */
  const born = new Map<number, { readonly index: number; readonly atMs: number }>();
  const listening = new Set<number>();
  /** Ports that are open, by worker id. */
  const opened = new Map<number, number>();
  /** Were told to reload before they could hear it. */
  const late = new Set<number>();
  relayQuestions();

  return new Promise((resolve) => {
    function fork(index: number, isFirst: boolean): void {
      const worker = cluster.fork(env(index, isFirst));
      born.set(worker.id, { index, atMs: performance.now() });
      keepConnections(worker, () => allWorkers().filter((each) => each !== worker && listening.has(each.id)));
    }

    function replace(worker: Worker, code: number, signal: string): void {
      const { index, atMs } = born.get(worker.id) ?? { index: 0, atMs: 0 };
      born.delete(worker.id);
      const livedMs = performance.now() - atMs;
      const doubledMs = Math.min(LAST_RESTART_MS, 2 * (restarts.get(index) ?? FIRST_RESTART_MS / 2));
      const restartMs = livedMs > STABLE_AFTER_MS ? FIRST_RESTART_MS : doubledMs;
      restarts.set(index, restartMs);
      logger.error('worker died', { pid: worker.process.pid, code, signal, restartMs });
      setTimeout(() => {
        if (!isStopping) fork(index, false);
      }, restartMs);
    }

    cluster.on('listening', (worker) => {
      const count = (opened.get(worker.id) ?? 0) + 1;
      opened.set(worker.id, count);
      if (count < ports) return;
      hasListened = true;
      listening.add(worker.id);
      if (late.delete(worker.id)) tell('reload', [worker]);
      logger.info('worker listens', { pid: worker.process.pid });
    });
    cluster.on('exit', (worker, code, signal) => {
      listening.delete(worker.id);
      opened.delete(worker.id);
      late.delete(worker.id);
      if (hasListened && !isStopping) {
        replace(worker, code, signal);
      } else if (!hasListened) {
        killAll();
        resolve(code);
      } else if (allWorkers().length === 0) {
        resolve(0);
      }
    });
    cluster.on('message', (worker, message: unknown) => {
      if (message === ('reload' satisfies WorkerOrder)) {
        tell(
          'reload',
          allWorkers().filter((each) => each !== worker),
        );
      }
    });

    function tell(order: WorkerOrder, to: readonly Worker[]): void {
      for (const worker of to) {
        if (listening.has(worker.id)) worker.send(order, ignoreGone);
        else if (order === 'reload') late.add(worker.id);
      }
    }

    function killAll(): void {
      for (const worker of allWorkers()) worker.process.kill('SIGKILL');
    }

    function stop(signal: NodeJS.Signals): void {
      if (isStopping) {
        killAll();
        resolve(1);
        return;
      }
      isStopping = true;
      const all = allWorkers();
      logger.info('draining', { signal, workers: all.length });
      tell('drain', all);
      for (const worker of all) if (!listening.has(worker.id)) worker.process.kill('SIGKILL');
      if (all.length === 0) resolve(0);
    }
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => {
      tell('reload', allWorkers());
    });

    for (let i = 0; i < workers; i++) fork(i, i === 0);
  });
}

function allWorkers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}

/** A worker that has just died has drained. */
const ignoreGone = (): undefined => undefined;

export const isWorker = cluster.isWorker;

export interface Orders {
  drain(): void;
  reload(): void;
}

/** Does what the primary says, and drains when it is gone. Signals are the primary's business. */
export function obeyPrimary({ drain, reload }: Orders): void {
  process.on('message', (message: unknown) => {
    if (message === ('drain' satisfies WorkerOrder)) drain();
    if (message === ('reload' satisfies WorkerOrder)) reload();
  });
  process.on('disconnect', drain);
  // A terminal's Ctrl-C and hang-up reach every process; the primary decides what they mean.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', drain);
}

/** For a worker that was told to reload: the others are to do the same. */
export function tellOthersToReload(): void {
  process.send?.('reload' satisfies WorkerOrder);
}
