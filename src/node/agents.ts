/** The connections for what is passed on raw: one agent of Node's own for each backend. */

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Backend } from '../core/fleet.ts';
import { lookupOf } from './lookup.ts';
import { MACHINES_OWN, toConnectionOptions } from './tls.ts';

/** uvicorn closes idle connections after 5 s: ours must be gone before, or we pick a dying one. */
const IDLE_CONNECTION_MS = 4000;

export function createAgents(): (backend: Backend) => HttpAgent {
  const agents = new WeakMap<Backend, HttpAgent>();
  return (backend) => {
    const agent = agents.get(backend) ?? createAgent(backend);
    agents.set(backend, agent);
    return agent;
  };
}

function createAgent({ url, address, tls = MACHINES_OWN }: Backend): HttpAgent {
  const options = {
    keepAlive: true,
    timeout: IDLE_CONNECTION_MS,
    // How many go at once is the pool's business.
    maxSockets: Infinity,
    ...(address !== undefined && { lookup: lookupOf(address) }),
  };
  if (!url.startsWith('https:')) return new HttpAgent(options);
  return new HttpsAgent({ ...options, ...toConnectionOptions(tls) });
}
