// The servers that are compared, all in front of the simulated backend.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { descriptorLimit, findProgram } from './machine.mjs';
import { findFreePort, get, sleep } from './network.mjs';
import { readLines, start, stop } from './processes.mjs';

/** How long a server may take to answer its first request. */
const START_LIMIT_MS = 20_000;
const START_POLL_MS = 2;
/** Streams of a load that was cut off may take a moment to be noticed. */
const IDLE_LIMIT_MS = 10_000;
const IDLE_POLL_MS = 20;
const MAX_NGINX_DESCRIPTORS = 65_536;

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {number} port
 * @property {number} pid
 * @property {number} startMs from the start of the process to its first 200
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {object} Setting
 * @property {string} program main.js of the gateway
 * @property {string[]} gatewayFlags of Node
 * @property {import('./machine.mjs').Placement} placement
 * @property {string} directory for logs and configurations
 * @property {number} backendPort
 */

/** Starts the simulated backend; resolves to its port. */
export async function startBackend(placement) {
  const script = fileURLToPath(new URL('../simulated-backend.mjs', import.meta.url));
  const child = start([...placement.rest, process.execPath, script]);
  for await (const { port } of readLines(child)) return port;
  throw new Error('the simulated backend did not start');
}

/** Resolves when no stream is open at the backend any more. */
export async function untilBackendIsIdle(port) {
  const deadline = performance.now() + IDLE_LIMIT_MS;
  while ((await get(port, '/open-streams'))?.body !== '0') {
    if (performance.now() > deadline) throw new Error('streams stay open at the backend');
    await sleep(IDLE_POLL_MS);
  }
}

/** What runs each server: a command, and what it needs. */
const COMMANDS = {
  gateway: ({ program, gatewayFlags, backendPort }, port) => ({
    command: [process.execPath, ...gatewayFlags, program],
    env: gatewayEnvironment(port, {
      OLLAMA_BASE_URL: `http://127.0.0.1:${backendPort}`,
      OPENAI_BASE_URL: `http://127.0.0.1:${backendPort}`,
    }),
  }),
  pipe: ({ backendPort }, port) => {
    const script = fileURLToPath(new URL('../baselines/pipe.mjs', import.meta.url));
    return { command: [process.execPath, script, String(port), String(backendPort)], env: process.env };
  },
  nginx: ({ directory, backendPort }, port) => {
    const template = readFileSync(new URL('../baselines/nginx.conf', import.meta.url), 'utf8');
    const descriptors = Math.min(descriptorLimit(), MAX_NGINX_DESCRIPTORS);
    const values = { port, backendPort, directory, descriptors };
    const file = join(directory, `nginx-${port}.conf`);
    writeFileSync(
      file,
      template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)),
    );
    return { command: [findProgram('nginx'), '-p', directory, '-c', file], env: process.env };
  },
};

/** Nothing of the user's own settings: they would be measured along. */
export function gatewayEnvironment(port, backends) {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), ...backends };
}

/**
 * Starts one of the compared servers and waits for its first 200.
 * @param {keyof typeof COMMANDS} name
 * @param {Setting} setting
 */
export async function startServer(name, setting) {
  const port = await findFreePort();
  const { command, env } = COMMANDS[name](setting, port);
  const { directory, placement } = setting;
  return launch({ name, port, command: [...placement.server, ...command], env, directory });
}

/** @returns {Promise<Server>} */
export async function launch({ name, port, command, env, directory }) {
  const logFile = join(directory, `${name}-${port}.log`);
  const startedMs = performance.now();
  // In a directory of its own, where there is no .env and no gateway.yaml.
  const child = start(command, { env, cwd: directory, logFile });
  try {
    const startMs = await untilHealthy(child, port, startedMs);
    return { name, port, pid: child.pid, startMs, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw new Error(`${name} ${error.message}. Its log:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
  }
}

/** Milliseconds from `startedMs` to the first 200. */
async function untilHealthy(child, port, startedMs) {
  while (performance.now() - startedMs < START_LIMIT_MS) {
    if ((await get(port, '/health'))?.status === 200) return performance.now() - startedMs;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('ended at once');
    await sleep(START_POLL_MS);
  }
  throw new Error('does not answer');
}
