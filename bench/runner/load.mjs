// Runs the load generator against a server, and says what a request to it looks like.

import { fileURLToPath } from 'node:url';
import { toModelName } from '../protocol/model-name.mjs';
import { readLines, start, stop } from './processes.mjs';

const SCRIPT = fileURLToPath(new URL('../load.mjs', import.meta.url));
const PROMPT = 'Why is the sky blue? Answer in one sentence.';
/** Beyond the load generator's own limit: starting it, and hearing its result. */
const PATIENCE_MS = 10_000;

/**
 * The gateway translates or passes on what the OpenAI surface is asked; the others are asked for what
 * the backend itself has.
 */
function addressOf(serverName, route) {
  if (serverName === 'gateway') {
    return { path: '/v1/chat/completions', prefix: route === 'openai' ? 'openai/' : '', format: 'events' };
  }
  return route === 'openai'
    ? { path: '/v1/chat/completions', prefix: '', format: 'events' }
    : { path: '/api/chat', prefix: '', format: 'records' };
}

/**
 * @typedef {object} Load
 * @property {Partial<import('../protocol/model-name.mjs').Simulation>} simulation
 * @property {number} connections
 * @property {number} [rampMs]
 * @property {number} [repeatMs]
 * @property {boolean} [isStream]
 * @property {number[]} [steps]
 * @property {number} [holdMs]
 * @property {number} timeoutMs
 */

/**
 * @param {{ name: string, port: number }} server
 * @param {'ollama' | 'openai'} route
 * @param {Load} load
 * @param {(open: number) => void} onStep so many streams are open now
 * @returns {Promise<import('../load/tally.mjs').LoadResult>}
 */
export async function runLoad({ placement }, server, route, load, onStep = () => {}) {
  const {
    simulation,
    connections,
    rampMs = 0,
    repeatMs = 0,
    isStream = true,
    steps,
    holdMs,
    timeoutMs,
  } = load;
  const { path, prefix, format } = addressOf(server.name, route);
  const body = JSON.stringify({
    model: prefix + toModelName(simulation),
    messages: [{ role: 'user', content: PROMPT }],
    stream: isStream,
  });
  const plan = {
    port: server.port,
    path,
    body,
    format: isStream ? format : 'whole',
    tokens: simulation.tokens,
    connections,
    rampMs,
    repeatMs,
    timeoutMs,
    steps,
    holdMs,
  };
  const child = start([...placement.rest, process.execPath, SCRIPT, JSON.stringify(plan)]);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs + PATIENCE_MS);
  let result;
  for await (const line of readLines(child)) {
    if ('open' in line) onStep(line.open);
    else result = line.result;
  }
  clearTimeout(timer);
  await stop(child);
  if (!result) throw new Error('the load generator ended without a result');
  return result;
}
