// What a server adds to the time to the first token, by comparison with asking the backend itself.

import { describeFaults, measure, OTHERS } from './measure.mjs';

/** A hundred connections that ask again when an answer is complete: about five hundred first tokens. */
const LOAD = {
  simulation: { tokens: 20, perSecond: 20 },
  connections: 100,
  rampMs: 1000,
  repeatMs: 5000,
  timeoutMs: 40_000,
};

/** @type {import('./index.mjs').Scenario} */
export const ttft = {
  name: 'ttft',
  title: '100 streams × 20 tokens/s, starts spread: time to first token',
  routes: ['ollama', 'openai'],
  servers: ['direct', 'gateway', 'pipe', 'nginx'],
  columns: [
    { key: 'p50', title: 'p50 ms' },
    { key: 'p99', title: 'p99 ms' },
    { key: 'addedP50', title: 'added p50 ms' },
    { key: 'addedP99', title: 'added p99 ms' },
    { key: 'tokenP50', title: 'token p50 ms' },
    { key: 'tokenP99', title: 'token p99 ms' },
    OTHERS,
  ],
  main: undefined,
  async measure({ setting, server, route }) {
    const { result, othersPercent } = await measure(setting, server, route, LOAD);
    return {
      figures: {
        p50: result.firstToken.p50,
        p99: result.firstToken.p99,
        tokenP50: result.token.p50,
        tokenP99: result.token.p99,
        othersPercent,
      },
      faults: describeFaults(result),
    };
  },
  /** The difference is taken within a round: the machine is not the same in the next one. */
  relate(figures, direct) {
    return { addedP50: figures.p50 - direct.p50, addedP99: figures.p99 - direct.p99 };
  },
};
