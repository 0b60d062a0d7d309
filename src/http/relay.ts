/** Moves an answer to the client: headers and first piece in one write, then as fast as it reads. */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '../core/errors.ts';
import type { Relay } from '../core/exchange.ts';
import type { ByteText, Owned } from '../core/stream.ts';

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform keeps compressing proxies from collecting the stream first.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

export function createRelay(res: ServerResponse, isStream: boolean): Relay {
  const out = isStream ? createStreamOutput(res) : createBodyOutput(res);
  let isEnded = false;

  function onDrain(): void {
    relay.onDrain?.();
  }

  const relay: Owned<Relay> = {
    isCommitted: false,
    closedBy: undefined,
    onDrain: undefined,
    onClose: undefined,

    header(name, value) {
      if (value === undefined) res.removeHeader(name);
      else res.setHeader(name, value);
    },
    write(bytes) {
      if (relay.closedBy || isEnded) return true;
      relay.isCommitted = true;
      return out.write(bytes, onDrain);
    },
    comment(text) {
      if (isStream) relay.write(`: ${text}\n\n` as ByteText);
    },
    end(bytes) {
      if (isEnded) return;
      relay.isCommitted = true;
      isEnded = true;
      out.end(bytes);
    },
    cut(reason) {
      if (relay.closedBy) return;
      relay.closedBy = reason;
      relay.onClose?.(reason);
    },
    destroy() {
      res.destroy();
    },
  };

  res.on('close', () => {
    if (!isEnded) relay.cut(clientClosed());
  });
  // The client may have left while its request was read.
  if (res.destroyed) relay.cut(clientClosed());
  return relay;
}

interface Output {
  /** The first call sends the headers along. False: `onDrain` will be called when there is room. */
  write(bytes: ByteText, onDrain: () => void): boolean;
  end(bytes: ByteText): void;
}

function createBodyOutput(res: ServerResponse): Output {
  return {
    write() {
      throw new TypeError('an answer in one piece has no pieces');
    },
    end(bytes) {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
      res.end(bytes, 'latin1');
    },
  };
}

/**
 * Chunks are framed here and written to the socket as one string: res.write makes four writes of
 * one, gathers them until the next tick and copies each. That is the largest single cost of a
 * token in Node. Where there is no such socket (HTTP/1.0, an answer that waits for an earlier one
 * on its connection) res.write does it.
 */
function createStreamOutput(res: ServerResponse): Output {
  let socket: Socket | undefined;
  let isFull = false;

  /** Once for however many writes: the parts of one answer all come through here. */
  function awaitRoom(onDrain: () => void): void {
    if (isFull) return;
    isFull = true;
    (socket ?? res).once('drain', () => {
      isFull = false;
      onDrain();
    });
  }

  function commit(): void {
    if (res.socket && res.req.httpVersionMinor > 0) {
      res.writeHead(200, { ...STREAM_HEADERS, 'transfer-encoding': 'chunked' });
      // The framing is ours from here on; ending the message stays with Node.
      res.chunkedEncoding = false;
      socket = res.socket;
      socket.cork();
      res.flushHeaders();
    } else {
      res.writeHead(200, STREAM_HEADERS);
    }
  }

  return {
    write(bytes, onDrain) {
      const isFirst = !res.headersSent;
      if (isFirst) commit();
      let hasRoom: boolean;
      if (socket) {
        hasRoom = socket.write(frame(bytes), 'latin1');
        if (isFirst) socket.uncork();
      } else {
        hasRoom = res.write(bytes, 'latin1');
      }
      if (!hasRoom) awaitRoom(onDrain);
      return hasRoom;
    },
    end(bytes) {
      const isFirst = !res.headersSent;
      if (isFirst) commit();
      if (socket) {
        socket.write(`${frame(bytes)}0\r\n\r\n`, 'latin1');
        if (isFirst) socket.uncork();
        res.end();
      } else {
        res.end(bytes, 'latin1');
      }
    },
  };
}

/** RFC 9112, section 7.1. A chunk of nothing would end the body. */
function frame(bytes: ByteText): string {
  return bytes === '' ? '' : `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
}

function clientClosed(): GatewayError {
  return new GatewayError('client_closed', { message: 'The client closed the connection.' });
}
