/**
 * The numbers of all workers together: whichever worker is asked asks the primary, which adds them
 * up. By messages of our own, because prom-client waits 5 s for workers that still start.
 */

import cluster, { type Worker } from 'node:cluster';
import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from 'prom-client';

type Numbers = MetricObjectWithValues<MetricValue<string>>[];

/** What worker and primary say to each other. */
type Message =
  /** Worker to primary: tell me the numbers of all. */
  | { readonly metrics: 'wanted'; readonly id: number }
  /** Primary to worker: tell me yours. */
  | { readonly metrics: 'report'; readonly id: number }
  /** Worker to primary. */
  | { readonly metrics: 'reported'; readonly id: number; readonly numbers: Numbers }
  /** Primary to worker: the page. */
  | { readonly metrics: 'told'; readonly id: number; readonly body: string };

/** A worker whose event loop is held up longer than this has other troubles. */
const ANSWER_MS = 5000;

/** One page that is being put together. */
interface Gathering {
  readonly missing: Set<Worker>;
  readonly reports: Numbers[];
  tell(reports: readonly Numbers[]): void;
}

/** For the primary. */
export function answerMetricsRequests(): void {
  const listening = new Set<Worker>();
  const gatherings = new Map<number, Gathering>();
  let nextId = 0;

  function gather(asker: Worker, askersId: number): void {
    const id = nextId++;
    gatherings.set(id, {
      missing: new Set(listening),
      reports: [],
      tell(reports) {
        gatherings.delete(id);
        void AggregatorRegistry.aggregate([...reports])
          .metrics()
          .then((body) => {
            send(asker, { metrics: 'told', id: askersId, body });
          });
      },
    });
    for (const worker of listening) send(worker, { metrics: 'report', id });
    // Who asked gives up by then, and nobody else wants it.
    setTimeout(() => gatherings.delete(id), ANSWER_MS).unref();
  }

  /** The page is ready when the last worker has reported, or is gone. */
  function strike(gathering: Gathering, worker: Worker): void {
    if (gathering.missing.delete(worker) && gathering.missing.size === 0) gathering.tell(gathering.reports);
  }

  cluster.on('listening', (worker) => {
    listening.add(worker);
  });
  cluster.on('exit', (worker) => {
    listening.delete(worker);
    for (const gathering of gatherings.values()) strike(gathering, worker);
  });
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (!isMessage(message)) return;
    if (message.metrics === 'wanted') gather(worker, message.id);
    const gathering = message.metrics === 'reported' ? gatherings.get(message.id) : undefined;
    if (!gathering || message.metrics !== 'reported') return;
    gathering.reports.push(message.numbers);
    strike(gathering, worker);
  });
}

/** For a worker: the text of all workers' metrics; rejects when they do not come in time. */
export function createClusterRender(registry: Registry): () => Promise<string> {
  const waiting = new Map<number, (body: string) => void>();
  let nextId = 0;

  process.on('message', (message: unknown) => {
    if (!isMessage(message)) return;
    if (message.metrics === 'told') waiting.get(message.id)?.(message.body);
    if (message.metrics === 'report') void report(message.id);
  });

  async function report(id: number): Promise<void> {
    const numbers = (await registry.getMetricsAsJSON()) as Numbers;
    tellPrimary({ metrics: 'reported', id, numbers });
  }

  return () =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new Error('the metrics of the workers could not be collected'));
      }, ANSWER_MS);
      waiting.set(id, (body) => {
        waiting.delete(id);
        clearTimeout(timer);
        resolve(body);
      });
      tellPrimary({ metrics: 'wanted', id });
    });
}

function tellPrimary(message: Message): void {
  process.send?.(message);
}

function send(worker: Worker, message: Message): void {
  // One that has just died has nothing to tell.
  if (worker.isConnected()) worker.send(message, () => undefined);
}

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'metrics' in message;
}
