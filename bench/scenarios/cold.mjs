// From the start of the process to the first 200.

import { startServer } from '../runner/servers.mjs';
import { median } from '../runner/statistics.mjs';
import { cpuSecondsOf, rssOf } from '../runner/usage.mjs';

const STARTS = 5;

/** @type {import('./index.mjs').Scenario} */
export const cold = {
  name: 'cold',
  title: `process start to the first 200 of /health, median of ${STARTS}`,
  routes: ['any'],
  servers: ['gateway', 'pipe', 'nginx'],
  columns: [
    { key: 'startMs', title: 'ms' },
    { key: 'cpuMs', title: 'CPU ms' },
    { key: 'megabytes', title: 'MB' },
  ],
  main: 'startMs',
  startsOwnServer: true,
  async measure({ setting, serverName }) {
    const starts = [];
    for (let i = 0; i < STARTS; i++) {
      const server = await startServer(serverName, setting);
      starts.push({
        startMs: server.startMs,
        cpuMs: cpuSecondsOf(server.pid) * 1000,
        megabytes: rssOf(server.pid) / 1024,
      });
      await server.stop();
    }
    const medianOf = (key) => median(starts.map((each) => each[key]));
    return {
      figures: { startMs: medianOf('startMs'), cpuMs: medianOf('cpuMs'), megabytes: medianOf('megabytes') },
      faults: '',
    };
  },
};
