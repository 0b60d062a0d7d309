/** What the operator may see and end: the exchanges going on. */

import type { RequestHandler } from 'express';
import { GatewayError } from '../core/errors.ts';
import type { ActiveExchange, Now, StreamStatus } from '../core/exchange.ts';

export interface StreamsDeps {
  readonly active: () => Iterable<ActiveExchange>;
  /** Streams that have ended, by how. */
  readonly streamTotals: () => Promise<Readonly<Record<StreamStatus, number>>>;
  readonly now: Now;
}

export function listStreams({ active, streamTotals, now }: StreamsDeps): RequestHandler {
  return async (_req, res) => {
    const nowMs = now();
    const streams = Array.from(active(), ({ exchange, model, backend }) => ({
      requestId: exchange.id,
      client: exchange.client.name,
      model,
      backend,
      stream: exchange.isStream,
      durationMs: Math.round(nowMs - exchange.startedMs),
    }));
    res.json({ streams, totals: { active: streams.length, ...(await streamTotals()) } });
  };
}

/** Ends every exchange with this id: a client chooses its ids and may use one twice. */
export function cancelStream({ active }: StreamsDeps): RequestHandler<{ requestId: string }> {
  return (req, res) => {
    const { requestId } = req.params;
    const found = [...active()].filter(({ exchange }) => exchange.id === requestId);
    if (found.length === 0) {
      throw new GatewayError('unknown_request', {
        message: `No request '${requestId.slice(0, 128)}' is going on. It may have ended by now.`,
      });
    }
    for (const { exchange } of found) {
      exchange.relay.cut(
        new GatewayError('request_cancelled', {
          message: 'The operator of the gateway ended this request.',
          retryIsFutile: true,
        }),
      );
    }
    res.json({ requestId, cancelled: found.length });
  };
}
