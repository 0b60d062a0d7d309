/** The exchanges going on in all processes, and an end to them. */

import { GatewayError } from '../../core/errors.ts';
import type { ActiveExchange, Now, StreamStatus } from '../../core/exchange.ts';
import type { StreamsDesk, StreamsView } from '../../core/operator.ts';
import type { AskAll } from '../../core/workers.ts';

type Totals = Readonly<Record<StreamStatus, number>>;

interface StreamsDeskOptions {
  readonly active: () => Iterable<ActiveExchange>;
  /** Streams of this process that have ended, by how. */
  readonly streamTotals: () => Promise<Totals>;
  readonly now: Now;
  readonly askAll: AskAll;
}

const MAX_ID_LENGTH = 128;

export function createStreamsDesk({ active, streamTotals, now, askAll }: StreamsDeskOptions): StreamsDesk {
  const streamsOfAll = askAll('streams', async (): Promise<StreamsView> => {
    const nowMs = now();
    const streams = Array.from(active(), ({ exchange, model, backend }) => ({
      requestId: exchange.id,
      client: exchange.client.name,
      model,
      backend,
      isStream: exchange.isStream,
      durationMs: Math.round(nowMs - exchange.startedMs),
    }));
    return { streams, totals: await streamTotals() };
  });
  const cancelAll = askAll('cancel', (requestId: string) => cancelHere(active(), requestId));

  return {
    async streams() {
      const all = await streamsOfAll(null);
      const streams = all.flatMap((each) => each.streams);
      return {
        streams: streams.sort((a, b) => b.durationMs - a.durationMs),
        totals: all.map(({ totals }) => totals).reduce(sumOf),
      };
    },

    async cancel(requestId) {
      const counts = await cancelAll(requestId);
      const cancelled = counts.reduce((sum, count) => sum + count, 0);
      if (cancelled > 0) return cancelled;
      throw new GatewayError('unknown_request', {
        message: `No request '${requestId.slice(0, MAX_ID_LENGTH)}' is going on. It may have ended by now.`,
      });
    },
  };
}

/** Every exchange with this id: a client chooses its ids and may use one twice. */
function cancelHere(active: Iterable<ActiveExchange>, requestId: string): number {
  const found = [...active].filter(({ exchange }) => exchange.id === requestId);
  for (const { exchange } of found) {
    exchange.relay.cut(
      new GatewayError('request_cancelled', {
        message: 'The operator of the gateway ended this request.',
        retryIsFutile: true,
      }),
    );
  }
  return found.length;
}

function sumOf(a: Totals, b: Totals): Totals {
  return {
    completed: a.completed + b.completed,
    client_aborted: a.client_aborted + b.client_aborted,
    upstream_error: a.upstream_error + b.upstream_error,
    timeout: a.timeout + b.timeout,
    shutdown: a.shutdown + b.shutdown,
  };
}
