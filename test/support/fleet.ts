/** Backends, targets and settings as tests need them, without a configuration. */

import { DEFAULT_TIMEOUTS } from '../../src/config/schema.ts';
import type { Backend, Target } from '../../src/core/fleet.ts';
import type { ServerSettings } from '../../src/node/server.ts';
import type { CircuitSettings } from '../../src/routing/circuit.ts';
import type { PoolSettings } from '../../src/routing/pool.ts';

export function backendOf(name: string, more: Partial<Backend> = {}): Backend {
  return {
    name,
    group: name,
    kind: 'ollama',
    url: `http://${name}`,
    headers: {},
    weight: 1,
    maxConcurrency: Infinity,
    queue: 0,
    discovery: 'none',
    timeouts: DEFAULT_TIMEOUTS,
    ...more,
  };
}

export function targetOf(backend: Backend, more: Partial<Target> = {}): Target {
  return {
    backend,
    upstreamModel: 'm',
    model: undefined,
    serverVersion: '',
    options: {},
    requestOptions: [],
    completionTemplate: false,
    ...more,
  };
}

/** A backend of the configuration when nothing is said of limits. */
export const NO_LIMITS = { timeouts: {}, maxConcurrency: 0, queue: 0 };

export const CIRCUIT: CircuitSettings = {
  failures: 5,
  failureShare: 0.5,
  minRequests: 20,
  windowMs: 30_000,
  openMs: 5000,
  rampMs: 0,
};

export const POOL_SETTINGS: PoolSettings = { circuit: CIRCUIT, maxInFlight: Infinity, maxCooldownMs: 60_000 };

export const SERVER_SETTINGS: ServerSettings = {
  maxConnections: 0,
  maxHeaderBytes: 16_384,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 300_000,
  keepAliveTimeoutMs: 75_000,
  stalledReaderMs: () => 0,
};
