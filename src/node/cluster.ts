/** Several processes on one port: the primary forks workers, replaces those that die, and drains all. */

import cluster, { type Worker } from 'node:cluster';
import type { Logger } from '../core/exchange.ts';
import { answerMetricsRequests } from './cluster-metrics.ts';

/** A worker that dies at once is replaced ever more slowly. */
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5000;
/** Who lived so long did not die of its start. */
const STABLE_AFTER_MS = 10_000;

export interface ClusterOptions {
  readonly workers: number;
  /** Added to the environment of each worker; `isFirst` is one of the first start. */
  env(isFirst: boolean): Readonly<Record<string, string>>;
  readonly logger: Logger;
}

/** What the primary says to its workers. */
export type WorkerOrder = 'drain';

/**
 * Runs until all workers have ended after a signal; resolves with the exit code. A worker that ends
 * before any has listened is a start that cannot succeed, and its code is the program's.
 */
export function runPrimary({ workers, env, logger }: ClusterOptions): Promise<number> {
  let isStopping = false;
  let hasListened = false;
  let restartMs = FIRST_RESTART_MS;
  const bornMs = new Map<number, number>();
  const listening = new Set<number>();
  answerMetricsRequests();

  return new Promise((resolve) => {
    function fork(isFirst: boolean): void {
      const worker = cluster.fork(env(isFirst));
      bornMs.set(worker.id, performance.now());
    }

    function replace(worker: Worker, code: number, signal: string): void {
      const livedMs = performance.now() - (bornMs.get(worker.id) ?? 0);
      restartMs = livedMs > STABLE_AFTER_MS ? FIRST_RESTART_MS : Math.min(LAST_RESTART_MS, restartMs * 2);
      logger.error('worker died', { pid: worker.process.pid, code, signal, restartMs });
      setTimeout(() => {
        if (!isStopping) fork(false);
      }, restartMs);
    }

    cluster.on('listening', (worker) => {
      hasListened = true;
      listening.add(worker.id);
      logger.info('worker listens', { pid: worker.process.pid });
    });
    cluster.on('exit', (worker, code, signal) => {
      listening.delete(worker.id);
      if (hasListened && !isStopping) {
        replace(worker, code, signal);
      } else if (!hasListened) {
        killAll();
        resolve(code);
      } else if (Object.keys(cluster.workers ?? {}).length === 0) {
        resolve(0);
      }
    });

    function killAll(): void {
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    }

    function stop(signal: NodeJS.Signals): void {
      if (isStopping) {
        killAll();
        resolve(1);
        return;
      }
      isStopping = true;
      const all = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
      logger.info('draining', { signal, workers: all.length });
      for (const worker of all) {
        // Who does not listen yet serves nobody, and would not hear the order either.
        if (listening.has(worker.id)) worker.send('drain' satisfies WorkerOrder, ignoreGone);
        else worker.process.kill('SIGKILL');
      }
      if (all.length === 0) resolve(0);
    }
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);

    for (let i = 0; i < workers; i++) fork(i === 0);
  });
}

/** A worker that has just died has drained. */
const ignoreGone = (): undefined => undefined;

export const isWorker = cluster.isWorker;

/** Calls `drain` when the primary says so, or is gone. Signals are the primary's business. */
export function obeyPrimary(drain: () => void): void {
  process.on('message', (message: unknown) => {
    if (message === ('drain' satisfies WorkerOrder)) drain();
  });
  process.on('disconnect', drain);
  // A terminal's Ctrl-C reaches every process; the primary decides what it means.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', drain);
}
