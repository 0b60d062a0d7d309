/** A host name that stands for one address: for backends that were found by DNS. */

import { isIPv6, type LookupFunction } from 'node:net';

/** Whatever name is asked for has this address. */
export function lookupOf(address: string): LookupFunction {
  const family = isIPv6(address) ? 6 : 4;
  return (_host, options, done) => {
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
}
