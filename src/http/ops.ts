/** What operators and orchestrators ask for: health, readiness, metrics, the API's description. */

import type { RequestHandler } from 'express';
import type { BackendStatus } from '../core/fleet.ts';
import type { Phase } from './draining.ts';

/** The process runs. Says nothing of backends: a restart would not mend them. */
export const live: RequestHandler = (_req, res) => {
  res.json({ status: 'ok' });
};

/** New requests are welcome: not draining, and some backend is up. */
export function ready(phase: () => Phase, status: () => readonly BackendStatus[]): RequestHandler {
  return (_req, res) => {
    const backends = status();
    // Before its first probe a backend counts as up for requests, but nobody has seen it.
    const up = backends.filter(({ isUp, isDrained, discovery }) => isUp && !isDrained && discovery).length;
    const isStaying = phase() === 'serving';
    const isReady = isStaying && up > 0;
    res.status(isReady ? 200 : 503).json({
      status: isReady ? 'ready' : isStaying ? 'no backend is up' : 'draining',
      backends: { up, total: backends.length },
    });
  };
}

export function metricsPage(render: () => Promise<{ contentType: string; body: string }>): RequestHandler {
  return async (_req, res) => {
    const { contentType, body } = await render();
    res.setHeader('content-type', contentType);
    res.send(body);
  };
}

export function openapiDocument(read: () => Promise<string>): RequestHandler {
  return async (_req, res) => {
    res.type('application/yaml').send(await read());
  };
}
