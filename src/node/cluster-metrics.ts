/** The numbers of all workers together: whichever worker is asked asks the primary, which adds them up. */

import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';

interface MetricsAnswer {
  readonly metricsFor: number;
  /** undefined when the workers did not all answer in time. */
  readonly body: string | undefined;
}

/** prom-client gives up after 5 s; so does who waits for it. */
const ANSWER_MS = 6000;

/** For the primary. */
export function answerMetricsRequests(): void {
  const aggregator = new AggregatorRegistry();
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (!isRequest(message)) return;
    const answer = (body: string | undefined): void => {
      if (worker.isConnected())
        worker.send({ metricsFor: message.metricsRequest, body } satisfies MetricsAnswer);
    };
    aggregator.clusterMetrics().then(answer, () => {
      answer(undefined);
    });
  });
}

/** For a worker: the text of all workers' metrics; rejects when the primary has none. */
export function createClusterRender(registry: Registry): () => Promise<string> {
  AggregatorRegistry.setRegistries(registry);
  // Its constructor makes this process answer the primary's questions.
  new AggregatorRegistry();
  const waiting = new Map<number, (body: string | undefined) => void>();
  let requests = 0;
  process.on('message', (message: unknown) => {
    if (isAnswer(message)) waiting.get(message.metricsFor)?.(message.body);
  });
  return () =>
    new Promise((resolve, reject) => {
      const id = requests++;
      const settle = (body: string | undefined): void => {
        waiting.delete(id);
        clearTimeout(timer);
        if (body === undefined) reject(new Error('the metrics of the workers could not be collected'));
        else resolve(body);
      };
      const timer = setTimeout(settle, ANSWER_MS, undefined);
      waiting.set(id, settle);
      process.send?.({ metricsRequest: id });
    });
}

function isRequest(message: unknown): message is { readonly metricsRequest: number } {
  return typeof message === 'object' && message !== null && 'metricsRequest' in message;
}

function isAnswer(message: unknown): message is MetricsAnswer {
  return typeof message === 'object' && message !== null && 'metricsFor' in message;
}
