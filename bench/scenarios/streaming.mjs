// Streams at a pace or as fast as they are taken: what a token costs, and whether every answer arrives.

import { describeFaults, measure, OTHERS } from './measure.mjs';

const ROUTES = ['ollama', 'openai'];
const ALL = ['gateway', 'pipe', 'nginx'];

const COST = [
  { key: 'cpuPerToken', title: 'CPU µs/token' },
  { key: 'tokensPerSecond', title: 'tokens/s' },
  { key: 'tokensPerRead', title: 'tokens/read' },
  { key: 'tokenP50', title: 'token p50 ms' },
  { key: 'tokenP99', title: 'token p99 ms' },
  OTHERS,
];

/** @returns {import('./index.mjs').Scenario} */
function costScenario(name, title, load) {
  return {
    name,
    title,
    routes: ROUTES,
    servers: ALL,
    columns: COST,
    main: 'cpuPerToken',
    async measure({ setting, server, route }) {
      const { result, cpuSeconds, othersPercent } = await measure(setting, server, route, load);
      return {
        figures: {
          cpuPerToken: (cpuSeconds * 1e6) / result.tokens,
          tokensPerSecond: result.tokens / result.seconds,
          tokensPerRead: result.tokens / result.reads,
          tokenP50: result.token.p50,
          tokenP99: result.token.p99,
          othersPercent,
        },
        faults: describeFaults(result),
      };
    },
  };
}

export const stream = costScenario('stream', '200 streams × 50 tokens/s', {
  simulation: { tokens: 250, perSecond: 50 },
  connections: 200,
  rampMs: 500,
  timeoutMs: 30_000,
});

export const thousand = costScenario('thousand', '1,000 streams × 20 tokens/s', {
  simulation: { tokens: 200, perSecond: 20 },
  connections: 1000,
  rampMs: 1000,
  timeoutMs: 60_000,
});

export const firehose = costScenario('firehose', '100 streams, 16 tokens a write, as fast as taken', {
  simulation: { tokens: 2000, perWrite: 16 },
  connections: 100,
  rampMs: 100,
  repeatMs: 3000,
  timeoutMs: 30_000,
});

const twoThousandLoad = {
  simulation: { tokens: 60, perSecond: 10 },
  connections: 2000,
  rampMs: 2000,
  timeoutMs: 60_000,
};

/** @type {import('./index.mjs').Scenario} */
export const twoThousand = {
  name: 'two-thousand',
  title: '2,000 streams at the same time × 10 tokens/s: is every one complete?',
  routes: ROUTES,
  servers: ['gateway'],
  columns: [
    { key: 'mostAtOnce', title: 'open at once' },
    { key: 'answers', title: 'complete' },
    { key: 'errors', title: 'errors' },
    { key: 'tokensPerSecond', title: 'tokens/s' },
    { key: 'tokenP99', title: 'token p99 ms' },
    OTHERS,
  ],
  main: 'errors',
  async measure({ setting, server, route }) {
    const { result, othersPercent } = await measure(setting, server, route, twoThousandLoad);
    return {
      figures: {
        mostAtOnce: result.mostAtOnce,
        answers: result.answers,
        errors: twoThousandLoad.connections - result.answers,
        tokensPerSecond: result.tokens / result.seconds,
        tokenP99: result.token.p99,
        othersPercent,
      },
      faults: describeFaults(result),
    };
  },
};
