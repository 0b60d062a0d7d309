/** A `fetch` that goes through the gateway's own connections, for clients that want one. */

import { GatewayError } from '../core/errors.ts';
import type { Backend } from '../core/fleet.ts';
import type { Send, UpstreamBody } from '../core/upstream.ts';

/** Of a model list or description: forty backends with hundreds of models stay far below. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Only the path of the url counts: where it goes is the backend's business, with `isBesideApi` as in UpstreamRequest. */
export function createUpstreamFetch(
  send: Send,
  backend: Backend,
  signal: AbortSignal,
  isBesideApi = false,
): typeof fetch {
  return async (input, init) => {
    const { pathname, search } = new URL(input instanceof Request ? input.url : input);
    const { body, method } = init ?? {};
    const response = await send(
      backend,
      {
        method: method === 'POST' ? 'POST' : 'GET',
        path: pathname + search,
        isBesideApi,
        ...(typeof body === 'string' && { body }),
      },
      signal,
    );
    const bytes = await readBytes(response.body);
    return new Response(Buffer.from(bytes, 'latin1'), { status: response.status, headers: response.headers });
  };
}

function readBytes(body: UpstreamBody): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = '';
    body.read({
      chunk(chunk) {
        if (bytes.length > MAX_BODY_BYTES) return;
        bytes += chunk;
        if (bytes.length <= MAX_BODY_BYTES) return;
        body.discard();
        reject(
          new GatewayError('upstream_invalid_response', {
            message: `The upstream server sent more than ${String(MAX_BODY_BYTES)} bytes.`,
          }),
        );
      },
      end() {
        resolve(bytes);
      },
      error: reject,
    });
  });
}
