/** When a client is gone. */

import type { ServerResponse } from 'node:http';
import { GatewayError } from '../core/errors.ts';

/** Aborts when the client leaves. What it still has to send waits in its socket meanwhile. */
export function leaving(res: ServerResponse): AbortSignal {
  const controller = new AbortController();
  res.once('close', () => {
    controller.abort(new GatewayError('client_closed', { message: 'The client closed the connection.' }));
  });
  return controller.signal;
}
