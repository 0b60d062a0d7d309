// Small answers in one piece: what a request costs.

import { describeFaults, measure, OTHERS } from './measure.mjs';

const LOAD = {
  simulation: { tokens: 8 },
  isStream: false,
  connections: 32,
  repeatMs: 3000,
  timeoutMs: 30_000,
};

/** @type {import('./index.mjs').Scenario} */
export const requests = {
  name: 'requests',
  title: 'small answers in one piece, 32 connections, the next request after each answer',
  routes: ['ollama', 'openai'],
  servers: ['gateway', 'pipe', 'nginx'],
  columns: [
    { key: 'cpuPerRequest', title: 'CPU µs/request' },
    { key: 'requestsPerSecond', title: 'requests/s' },
    { key: 'p50', title: 'p50 ms' },
    { key: 'p99', title: 'p99 ms' },
    OTHERS,
  ],
  main: 'cpuPerRequest',
  async measure({ setting, server, route }) {
    const { result, cpuSeconds, othersPercent } = await measure(setting, server, route, LOAD);
    return {
      figures: {
        cpuPerRequest: (cpuSeconds * 1e6) / result.answers,
        requestsPerSecond: result.answers / result.seconds,
        p50: result.answer.p50,
        p99: result.answer.p99,
        othersPercent,
      },
      faults: describeFaults(result),
    };
  },
};
