// What an open stream takes of memory: the slope of Rss over the number of open streams.

import { runLoad } from '../runner/load.mjs';
import { startServer } from '../runner/servers.mjs';
import { slope } from '../runner/statistics.mjs';
import { rssOf } from '../runner/usage.mjs';
import { describeFaults } from './measure.mjs';
import { warm } from './warm.mjs';

const STEPS = [100, 1000, 2000, 4000];
const HOLD_MS = 2000;
/** Of the hold, after which memory is read: what opening the streams took has then been given back, or not. */
const READ_AFTER_MS = 1500;
const MOST = STEPS[STEPS.length - 1];

const LOAD = {
  simulation: { tokens: 100_000, perSecond: 1 },
  connections: MOST,
  rampMs: MOST / 2,
  steps: STEPS,
  holdMs: HOLD_MS,
  timeoutMs: 90_000,
};

/** @type {import('./index.mjs').Scenario} */
export const memory = {
  name: 'memory',
  title: 'memory of open streams at 1 token/s (Rss in a fresh process)',
  routes: ['ollama', 'openai'],
  servers: ['gateway', 'pipe', 'nginx'],
  columns: [
    { key: 'perStream', title: 'KB/stream' },
    { key: 'idle', title: 'MB warm' },
    ...STEPS.map((count) => ({ key: `at${count}`, title: `MB at ${count}` })),
  ],
  main: 'perStream',
  startsOwnServer: true,
  /** Two connections a stream, and some more. */
  descriptors: MOST * 2 + 100,
  async measure({ setting, serverName, route }) {
    const server = await startServer(serverName, setting);
    try {
      await warm(setting, server, route);
      const idle = rssOf(server.pid);
      const points = [];
      const result = await runLoad(setting, server, route, LOAD, (open) => {
        setTimeout(() => points.push([open, rssOf(server.pid)]), READ_AFTER_MS);
      });
      const faults = describeFaults(result);
      if (points.length < STEPS.length) return { figures: {}, faults: faults || 'not all streams opened' };
      const sizes = points.map(([, kilobytes], i) => [`at${STEPS[i]}`, kilobytes / 1024]);
      return {
        figures: { perStream: slope(points), idle: idle / 1024, ...Object.fromEntries(sizes) },
        faults,
      };
    } finally {
      await server.stop();
    }
  },
};
