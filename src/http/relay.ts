/** Moves an answer to the client: headers and first piece in one write, then as fast as it reads. */

import type { ServerResponse } from 'node:http';
import { GatewayError } from '../core/errors.ts';
import type { Relay } from '../core/ports.ts';
import type { ByteText } from '../core/stream.ts';

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform keeps compressing proxies from collecting the stream first.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** A comment: clients ignore it, and idle connections live on. */
const HEARTBEAT = ': keep-alive\n\n' as ByteText;

export function createRelay(res: ServerResponse, isStream: boolean): Relay {
  let isCommitted = false;
  let closedBy: GatewayError | undefined;

  function commit(headers: Readonly<Record<string, string | number>>): void {
    isCommitted = true;
    res.writeHead(200, headers);
  }

  const relay: Relay = {
    get isCommitted() {
      return isCommitted;
    },
    get closedBy() {
      return closedBy;
    },
    onDrain: undefined,
    onClose: undefined,

    write(bytes) {
      if (closedBy) return true;
      if (!isCommitted) commit(STREAM_HEADERS);
      return res.write(bytes, 'latin1');
    },

    heartbeat() {
      if (isStream) relay.write(HEARTBEAT);
    },

    end(bytes) {
      if (!isCommitted) {
        commit(
          isStream ? STREAM_HEADERS : { 'content-type': 'application/json', 'content-length': bytes.length },
        );
      }
      res.end(bytes, 'latin1');
    },

    cut(reason) {
      if (closedBy) return;
      closedBy = reason;
      relay.onClose?.(reason);
    },
  };

  res.on('drain', () => relay.onDrain?.());
  res.on('close', () => {
    if (!res.writableFinished) relay.cut(clientClosed());
  });
  // The client may have left while its request was read.
  if (res.closed || res.destroyed) relay.cut(clientClosed());
  return relay;
}

function clientClosed(): GatewayError {
  return new GatewayError('client_closed', { message: 'The client closed the connection.' });
}
