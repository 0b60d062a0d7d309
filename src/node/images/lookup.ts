/** Name resolution that answers with nothing but addresses a connection may be opened to. */

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { refusal } from './refusal.ts';

/** All addresses of a host; rejects when it has none. */
export type Lookup = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemLookup: Lookup = (hostname) => lookup(hostname, { all: true });

/**
 * For a socket's `lookup`: the socket connects to the very addresses that were checked here, so a name
 * that resolves otherwise a moment later gains nothing. One closed address among several closes the host.
 */
export function createGuardedLookup(resolve: Lookup, isClosed: (address: string) => boolean): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first || addresses.some(({ address }) => isClosed(address))) callback(unknownHost(), '');
        else if (all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => {
        callback(unknownHost(error), '');
      },
    );
  };
}

/** One answer for both, or clients could find out which names the gateway's own network knows. */
function unknownHost(cause: unknown = new Error('The host resolves to a closed address.')): Error {
  return refusal(
    'The host of the image URL cannot be found or is not public. Use a public URL or send the image as a data: URI.',
    cause,
  );
}
