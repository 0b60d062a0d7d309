/** Which backends there are when the program starts: configured, found on this machine, or the demo. */

import { ConfigError } from './config/fault.ts';
import { toBackend, type Config } from './config/load.ts';
import type { Backend, BackendAddress } from './core/fleet.ts';
import { detectBackends, LOCAL_CANDIDATES } from './node/detect.ts';
import { createDiscover } from './node/discover.ts';
import { createSender } from './node/send.ts';

export interface Fleet {
  readonly backends: readonly Backend[];
  readonly isDemo: boolean;
}

/** The configured backends; else what answers on this machine; else the demo, but not in production. */
export async function findFleet({ backends, isProduction, limits, discovery }: Config): Promise<Fleet> {
  if (backends.length > 0) return { backends, isDemo: false };
  const sender = createSender();
  const candidates = LOCAL_CANDIDATES.map((candidate) => toBackend(candidate, limits));
  const found = await detectBackends(candidates, createDiscover(sender.send), discovery.searchTimeoutMs);
  sender.close();
  if (found.length > 0) return { backends: found, isDemo: false };
  if (isProduction) {
    throw new ConfigError([
      {
        where: 'backends',
        message:
          'none is configured and none answers on this machine. Set OLLAMA_BASE_URL, VLLM_BASE_URL or ' +
          'OPENAI_BASE_URL, or list backends in gateway.yaml.',
      },
    ]);
  }
  const { startDemoBackend } = await import('./node/demo/server.ts');
  const { url } = await startDemoBackend();
  return { backends: [toBackend({ name: 'demo', kind: 'ollama', url }, limits)], isDemo: true };
}

/** What a primary has found, as text for the environment of its workers. */
export function printFleet({ backends, isDemo }: Fleet): string {
  const found = backends.map(({ name, kind, url }): BackendAddress => ({ name, kind, url }));
  return JSON.stringify({ found, isDemo });
}

export function readFleet(text: string, { limits }: Config): Fleet {
  const { found, isDemo } = JSON.parse(text) as { found: BackendAddress[]; isDemo: boolean };
  return { backends: found.map((address) => toBackend(address, limits)), isDemo };
}
