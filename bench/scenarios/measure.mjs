// A load on a server, with what it cost the server.

import { busySecondsOfServerCpu } from '../runner/machine.mjs';
import { runLoad } from '../runner/load.mjs';
import { sleep } from '../runner/network.mjs';
import { cpuSecondsOf } from '../runner/usage.mjs';

/** For the last bytes to be dealt with before the clock of the CPU is read. */
const SETTLE_MS = 50;

/**
 * @typedef {object} Measured
 * @property {import('../load/tally.mjs').LoadResult} result
 * @property {number} cpuSeconds of the server; NaN when there is none
 * @property {number} othersPercent of its CPU's time that went to anything but the server; NaN when not pinned
 */

/**
 * @param {import('../runner/servers.mjs').Setting} setting
 * Throws when not a single answer was right: such a measurement has no figures.
 * @returns {Promise<Measured>}
 */
export async function measure(setting, server, route, load) {
  const before = readClocks(setting, server);
  const result = await runLoad(setting, server, route, load);
  if (result.answers === 0) throw new Error(describeFaults(result));
  await sleep(SETTLE_MS);
  const after = readClocks(setting, server);
  const cpuSeconds = after.server - before.server;
  const others = (after.cpu - before.cpu - cpuSeconds) / (after.wall - before.wall);
  // Below zero by a tick of the kernel's clock, now and then.
  return { result, cpuSeconds, othersPercent: Math.max(0, others * 100) };
}

function readClocks({ placement }, { pid }) {
  return {
    server: pid === undefined ? NaN : cpuSecondsOf(pid),
    cpu: placement.isPinned ? busySecondsOfServerCpu() : NaN,
    wall: performance.now() / 1000,
  };
}

/** What was wrong, in words; '' when nothing was. */
export function describeFaults({ faults }) {
  return Object.entries(faults)
    .map(([fault, count]) => `${count} × ${fault}`)
    .join('; ');
}

/** The column of `othersPercent`; rounds.mjs goes by it. */
export const OTHERS = { key: 'othersPercent', title: 'others on its CPU, %' };
