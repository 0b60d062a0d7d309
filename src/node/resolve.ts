/** Backends whose host has several addresses: one backend for each, looked up anew now and then. */

import { lookup as systemLookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Logger } from '../core/exchange.ts';
import type { Backend } from '../core/fleet.ts';

/** All addresses of a host. Rejects when there are none to be had. */
export type LookUp = (host: string) => Promise<readonly string[]>;

export interface Resolver {
  /** The backends, with those found by DNS in the place of the configured one. Never rejects. */
  resolve(backends: readonly Backend[]): Promise<Backend[]>;
}

/** A host that cannot be resolved just now keeps the addresses that it had. */
export function createResolver(logger: Logger, lookUp: LookUp = lookUpAll): Resolver {
  const known = new Map<string, readonly Backend[]>();

  async function members(backend: Backend): Promise<readonly Backend[]> {
    if (backend.discovery === 'none') return [backend];
    // Until its addresses are known the name itself stands for all of them.
    const before = known.get(backend.name) ?? [backend];
    try {
      const addresses = await lookUp(new URL(backend.url).hostname);
      const found = [...new Set(addresses)].sort().map((address) => memberOf(backend, address, before));
      if (!isSame(found, before)) {
        logger.info('backends were found', { backend: backend.name, addresses: found.length });
      }
      known.set(backend.name, found);
      return found;
    } catch (error) {
      logger.warn('the addresses of a backend cannot be found', { backend: backend.name, error });
      return before;
    }
  }

  return {
    async resolve(backends) {
      return (await Promise.all(backends.map(members))).flat();
    },
  };
}

/** The same object while nothing has changed, so that its connections are kept. */
function memberOf(backend: Backend, address: string, before: readonly Backend[]): Backend {
  const member = { ...backend, name: `${backend.name}@${address}`, address };
  const known = before.find(({ name }) => name === member.name);
  return known && JSON.stringify(known) === JSON.stringify(member) ? known : member;
}

function isSame(a: readonly Backend[], b: readonly Backend[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/** A machine with addresses of both families is one machine: the older family stands for it. */
async function lookUpAll(host: string): Promise<readonly string[]> {
  const found = await systemLookup(host, { all: true, order: 'verbatim' });
  const addresses = found.map(({ address }) => address);
  const old = addresses.filter((address) => !isIPv6(address));
  return old.length > 0 ? old : addresses;
}
