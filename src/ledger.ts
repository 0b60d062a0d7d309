/** The ledger as the configuration wants it. */

import { isMatch } from './admission/models.ts';
import type { Config } from './config/load.ts';
import type { Logger } from './core/exchange.ts';
import type { AskAll } from './core/workers.ts';
import { createUsageFiles } from './node/usage/index.ts';
import { createLedger, type Ledger } from './usage/ledger.ts';

/** undefined: none is kept. Its place is that of the first configuration; sizes, times and prices are those of the last. */
export function createLedgerOf(config: () => Config, askAll: AskAll, logger: Logger): Ledger | undefined {
  const { enabled, folder } = config().usage;
  if (!enabled) return undefined;
  const wallClock = Date.now;
  return createLedger({
    store: createUsageFiles({ folder, settings: () => config().usage, wallClock, logger }),
    askAll,
    wallClock,
    prices: () => config().prices,
    isMatch,
  });
}
