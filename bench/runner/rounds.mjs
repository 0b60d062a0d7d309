// Every scenario on every server, round after round.

import { warm } from '../scenarios/warm.mjs';
import { descriptorLimit } from './machine.mjs';
import { startServer, untilBackendIsIdle } from './servers.mjs';

/** Beyond this share of the measured server's CPU, others have disturbed a measurement. */
const MOST_OTHERS_PERCENT = 10;

/**
 * @typedef {object} Row one measurement
 * @property {number} round
 * @property {string} scenario
 * @property {string} route
 * @property {string} server
 * @property {import('../scenarios/index.mjs').Figures} figures
 * @property {string} faults
 */

/**
 * Servers take turns within a round, so that a disturbance of the machine meets all of them; in every
 * second round in reverse order, so that none is always first.
 * @param {import('./servers.mjs').Setting} setting
 * @param {readonly import('../scenarios/index.mjs').Scenario[]} scenarios
 * @param {{ rounds: number, missing: readonly string[] }} choice `missing`: servers that are not on this machine
 * @param {(row: Row) => void} onRow
 * @returns {Promise<Row[]>}
 */
export async function runRounds(setting, scenarios, { rounds, missing }, onRow) {
  const rows = [];
  for (let round = 1; round <= rounds; round++) {
    const fleet = createFleet(setting);
    for (const scenario of scenarios) {
      for (const route of scenario.routes) {
        const names = scenario.servers.filter((name) => !missing.includes(name));
        if (round % 2 === 0) names.reverse();
        for (const server of names) {
          const measurement = await measureCalmly(() => measureOnce(scenario, setting, fleet, server, route));
          const row = { round, scenario: scenario.name, route, server, ...measurement };
          rows.push(row);
          onRow(row);
        }
      }
    }
    await fleet.stop();
  }
  for (const scenario of scenarios) relateToDirect(scenario, rows);
  return rows;
}

/**
 * Takes a measurement once more when other programs disturbed it; the calmer one counts. Whether it is
 * taken again never depends on what came out, and what went wrong in a disturbance went wrong all the same.
 */
async function measureCalmly(measureIt) {
  const first = await measureIt();
  const isDisturbed = first.figures.othersPercent > MOST_OTHERS_PERCENT;
  if (first.faults !== '' || !isDisturbed) return first;
  const second = await measureIt();
  const isCalmer = second.figures.othersPercent < first.figures.othersPercent;
  return isCalmer || second.faults !== '' ? second : first;
}

/** A measurement that fails is told in its row, and the server starts anew for the next one. */
async function measureOnce(scenario, setting, fleet, serverName, route) {
  if (scenario.descriptors > descriptorLimit()) {
    return { figures: {}, faults: `needs ${scenario.descriptors} open files (ulimit -n)` };
  }
  try {
    const server = scenario.startsOwnServer ? undefined : await fleet.take(serverName, route);
    const measurement = await scenario.measure({ setting, serverName, server, route });
    await untilBackendIsIdle(setting.backendPort);
    return measurement;
  } catch (error) {
    await fleet.drop(serverName);
    return { figures: {}, faults: error.message };
  }
}

/** The servers of a round: started when first needed, warmed for each route, kept to the end. */
function createFleet(setting) {
  const servers = new Map();
  const warmed = new Set();

  async function drop(name) {
    const server = servers.get(name);
    servers.delete(name);
    for (const key of [...warmed]) if (key.startsWith(`${name} `)) warmed.delete(key);
    await server?.stop();
  }

  return {
    async take(name, route) {
      if (name === 'direct') return { name, port: setting.backendPort };
      if (!servers.has(name)) servers.set(name, await startServer(name, setting));
      const server = servers.get(name);
      const key = `${name} ${route}`;
      if (!warmed.has(key)) await warm(setting, server, route);
      warmed.add(key);
      return server;
    },
    drop,
    async stop() {
      for (const name of [...servers.keys()]) await drop(name);
    },
  };
}

function relateToDirect({ name, relate }, rows) {
  if (!relate) return;
  const mine = rows.filter(({ scenario }) => scenario === name);
  for (const row of mine) {
    const direct = mine.find(
      (each) => each.server === 'direct' && each.round === row.round && each.route === row.route,
    );
    if (direct && direct !== row) Object.assign(row.figures, relate(row.figures, direct.figures));
  }
}
