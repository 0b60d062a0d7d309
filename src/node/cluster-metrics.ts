/** The numbers of all workers together, whichever is asked. */

import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from 'prom-client';
import type { AskAll } from '../core/workers.ts';

type Numbers = MetricObjectWithValues<MetricValue<string>>[];

/**
 * The text of all workers' metrics. By questions of our own, because prom-client waits 5 s for
 * workers that still start.
 */
export function createClusterRender(registry: Registry, askAll: AskAll): () => Promise<string> {
  const numbersOfAll = askAll('metrics', async () => (await registry.getMetricsAsJSON()) as Numbers);
  return async () => AggregatorRegistry.aggregate([...(await numbersOfAll(null))]).metrics();
}
