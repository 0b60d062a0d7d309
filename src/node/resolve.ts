/** Backends that stand for several servers: one backend for each, looked up anew now and then. */

import { lookup as systemLookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { Logger } from '../core/exchange.ts';
import type { Backend, DiscoveryMode } from '../core/fleet.ts';

/** Where one of the servers behind a url is. */
export interface Found {
  readonly address: string;
  /** In place of the url's. */
  readonly port?: number | undefined;
}

/** All servers behind a url. Rejects when they are not to be had. */
export type LookUp = (url: URL) => Promise<readonly Found[]>;

export interface Resolver {
  /** The backends, with those that were found in the place of the configured one. Never rejects. */
  resolve(backends: readonly Backend[]): Promise<Backend[]>;
}

/** What cannot be looked up just now keeps the servers that it had. */
export function createResolver(
  logger: Logger,
  lookUps: Readonly<Record<Exclude<DiscoveryMode, 'none'>, LookUp>>,
): Resolver {
  const known = new Map<string, readonly Backend[]>();

  async function members(backend: Backend): Promise<readonly Backend[]> {
    if (backend.discovery === 'none') return [backend];
    // Until its servers are known the name itself stands for all of them, and when there are none
    // it stands for those that may come: requests hear that it is away, not that it never was.
    const before = known.get(backend.name) ?? [backend];
    try {
      const all = await lookUps[backend.discovery](new URL(backend.url));
      const found = all.length === 0 ? [backend] : all.map((each) => memberOf(backend, each, before));
      if (!isSame(found, before)) {
        logger.info('backends were found', { backend: backend.name, addresses: all.length });
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
function memberOf(backend: Backend, { address, port }: Found, before: readonly Backend[]): Backend {
  const url = port === undefined ? backend.url : withPort(backend.url, port);
  const member = { ...backend, name: `${backend.name}@${address}`, url, address };
  const known = before.find(({ name }) => name === member.name);
  return known && JSON.stringify(known) === JSON.stringify(member) ? known : member;
}

function withPort(text: string, port: number): string {
  const url = new URL(text);
  url.port = String(port);
  return url.href.replace(/\/$/, '');
}

function isSame(a: readonly Backend[], b: readonly Backend[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/**
 * Every address of the host. A machine with addresses of both families is one machine: the older
 * family stands for it.
 */
export async function lookUpInDns({ hostname }: URL): Promise<readonly Found[]> {
  const found = await systemLookup(hostname, { all: true, order: 'verbatim' });
  const addresses = found.map(({ address }) => address);
  const old = addresses.filter((address) => !isIPv6(address));
  return [...new Set(old.length > 0 ? old : addresses)].sort().map((address) => ({ address }));
}
