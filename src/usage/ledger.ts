/** What this process has counted and nobody keeps yet, and all of it together when somebody asks. */

import type { ExchangeRecord } from '../core/exchange.ts';
import type { Prices, ReportUsage, UsageRow, UsageStore } from '../core/usage.ts';
import { createSums, dayOf } from '../core/usage-rows.ts';
import type { AskAll } from '../core/workers.ts';
import { reportOf } from './report.ts';

export interface Ledger {
  /** An exchange has ended. At once: nothing waits for the store. */
  count(record: ExchangeRecord): void;
  /** Brings what was counted to the store. Never rejects. */
  flush(): Promise<void>;
  readonly report: ReportUsage;
}

interface LedgerOptions {
  readonly store: UsageStore;
  readonly askAll: AskAll;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly prices: () => Prices;
  readonly isMatch: (pattern: string, name: string) => boolean;
}

export function createLedger({ store, askAll, wallClock, prices, isMatch }: LedgerOptions): Ledger {
  let pending = createSums();
  let last: Promise<void> = Promise.resolve();

  async function bring(): Promise<void> {
    const rows = pending.rows();
    pending = createSums();
    for (const row of await store.append(rows)) pending.add(row);
  }

  /** One after the other: what is on its way to the store must not be asked for meanwhile. */
  function flush(): Promise<void> {
    last = last.then(bring);
    return last;
  }

  /** What is left then is what the store could not take. */
  const leftOfAll = askAll('usage', async () => {
    await flush();
    return pending.rows();
  });

  return {
    count(record) {
      pending.add(toRow(record, dayOf(wallClock())));
    },
    flush,
    async report(query) {
      const left = (await leftOfAll(null)).flat();
      const rows = [...(await store.read(query.from)), ...left];
      return reportOf(rows, query, prices(), isMatch);
    },
  };
}

function toRow(
  { keyId, client, model, backend, error, usage, seenTokens }: ExchangeRecord,
  day: string,
): UsageRow {
  return {
    day,
    keyId,
    key: client,
    model,
    backend,
    requests: 1,
    errors: error ? { [error.reason]: 1 } : {},
    inputTokens: usage?.prompt ?? 0,
    outputTokens: usage?.completion ?? seenTokens,
    cachedTokens: usage?.cached ?? 0,
    reasoningTokens: usage?.reasoning ?? 0,
  };
}
