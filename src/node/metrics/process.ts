/** The numbers of the program itself: what it is, what it costs, and whether its configuration is taken over. */

import { collectDefaultMetrics, Counter, Gauge, type Registry } from 'prom-client';

export interface ProcessMetrics {
  reloaded(isApplied: boolean): void;
}

export function createProcessMetrics(
  registry: Registry,
  version: string,
  isDraining: () => boolean,
): ProcessMetrics {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'ai_gateway_build_info',
    help: 'Always 1; its labels tell the versions of the gateway and of Node.',
    labelNames: ['version', 'node'],
    aggregator: 'max',
    registers,
  }).set({ version, node: process.version }, 1);
  new Gauge({
    name: 'ai_gateway_draining',
    help: '1 from the order to stop on.',
    aggregator: 'max',
    registers,
    collect() {
      this.set(isDraining() ? 1 : 0);
    },
  });
  const reloads = new Counter({
    name: 'ai_gateway_config_reloads_total',
    help: 'Configurations that were taken over, or refused because of a fault.',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['applied', 'refused']) reloads.inc({ result }, 0);
  const isCurrent = new Gauge({
    name: 'ai_gateway_config_current',
    help: '0 when the last configuration was refused and an older one is in force.',
    // One worker that lives by an older one is enough.
    aggregator: 'min',
    registers,
  });
  isCurrent.set(1);
  return {
    reloaded(isApplied) {
      reloads.inc({ result: isApplied ? 'applied' : 'refused' });
      isCurrent.set(isApplied ? 1 : 0);
    },
  };
}
