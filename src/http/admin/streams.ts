/** What the operator may see and end: the exchanges going on. */

import type { RequestHandler } from 'express';
import type { StreamsDesk } from '../../core/operator.ts';
import { noteSubject } from './subject.ts';

export function listStreams(desk: Pick<StreamsDesk, 'streams'>): RequestHandler {
  return async (_req, res) => {
    const { streams, totals } = await desk.streams();
    res.json({
      streams: streams.map(({ isStream, durationMs, ...stream }) => ({
        ...stream,
        stream: isStream,
        durationMs,
      })),
      totals: { active: streams.length, ...totals },
    });
  };
}

export function cancelStream(desk: Pick<StreamsDesk, 'cancel'>): RequestHandler<{ requestId: string }> {
  return async (req, res) => {
    const requestId = noteSubject(res, req.params.requestId);
    res.json({ requestId, cancelled: await desk.cancel(requestId) });
  };
}
