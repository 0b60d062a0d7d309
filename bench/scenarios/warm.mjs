// What every server gets before anything is measured: a program that has just started is another program.

import { runLoad } from '../runner/load.mjs';
import { untilBackendIsIdle } from '../runner/servers.mjs';

const LOADS = [
  { simulation: { tokens: 200 }, connections: 50, repeatMs: 1500 },
  { simulation: { tokens: 50, perSecond: 50 }, connections: 200, rampMs: 200, repeatMs: 1000 },
  { simulation: { tokens: 8 }, isStream: false, connections: 16, repeatMs: 1000 },
];

export async function warm(setting, server, route) {
  for (const load of LOADS) await runLoad(setting, server, route, { ...load, timeoutMs: 20_000 });
  await untilBackendIsIdle(setting.backendPort);
}
