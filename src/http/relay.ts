/** Moves an answer to the client: headers and first piece in one write, then as fast as it reads. */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '../core/errors.ts';
import type { Relay } from '../core/exchange.ts';
import type { ByteText } from '../core/stream.ts';

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform keeps compressing proxies from collecting the stream first.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

export function createRelay(res: ServerResponse, isStream: boolean): Relay {
  return isStream ? new StreamRelay(res) : new BodyRelay(res);
}

/** What both kinds of answer have. Classes, because a token passes here: docs/performance.md. */
abstract class BaseRelay implements Relay {
  isCommitted = false;
  closedBy: GatewayError | undefined = undefined;
  onDrain: (() => void) | undefined = undefined;
  onClose: ((reason: GatewayError) => void) | undefined = undefined;
  protected readonly res: ServerResponse;
  protected isEnded = false;

  constructor(res: ServerResponse) {
    this.res = res;
    res.on('close', () => {
      if (!this.isEnded) this.cut(clientClosed());
    });
    // The client may have left while its request was read.
    if (res.destroyed) this.cut(clientClosed());
  }

  abstract write(bytes: ByteText): boolean;
  abstract comment(text: string): void;
  abstract end(bytes: ByteText): void;

  header(name: string, value: string | undefined): void {
    if (value === undefined) this.res.removeHeader(name);
    else this.res.setHeader(name, value);
  }

  cut(reason: GatewayError): void {
    if (this.closedBy) return;
    this.closedBy = reason;
    this.onClose?.(reason);
  }

  destroy(): void {
    this.res.destroy();
  }
}

class BodyRelay extends BaseRelay {
  write(): never {
    throw new TypeError('an answer in one piece has no pieces');
  }

  comment(): void {
    // Nothing may come before a body.
  }

  end(bytes: ByteText): void {
    if (this.isEnded) return;
    this.isCommitted = true;
    this.isEnded = true;
    this.res.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
    this.res.end(bytes, 'latin1');
  }
}

/**
 * Chunks are framed here and written to the socket as one string: res.write makes four writes of
 * one, gathers them until the next tick and copies each. That is the largest single cost of a
 * token in Node. Where there is no such socket (HTTP/1.0, an answer that waits for an earlier one
 * on its connection) res.write does it.
 */
class StreamRelay extends BaseRelay {
  #socket: Socket | undefined = undefined;
  #isFull = false;

  write(bytes: ByteText): boolean {
    if (this.closedBy || this.isEnded) return true;
    const isFirst = !this.isCommitted;
    if (isFirst) this.#commit();
    const socket = this.#socket;
    const hasRoom = socket ? socket.write(frame(bytes), 'latin1') : this.res.write(bytes, 'latin1');
    if (isFirst) socket?.uncork();
    if (!hasRoom) this.#awaitRoom();
    return hasRoom;
  }

  comment(text: string): void {
    this.write(`: ${text}\n\n` as ByteText);
  }

  end(bytes: ByteText): void {
    if (this.isEnded) return;
    const isFirst = !this.isCommitted;
    if (isFirst) this.#commit();
    this.isEnded = true;
    if (this.#socket) {
      this.#socket.write(`${frame(bytes)}0\r\n\r\n`, 'latin1');
      if (isFirst) this.#socket.uncork();
      this.res.end();
    } else {
      this.res.end(bytes, 'latin1');
    }
  }

  #commit(): void {
    this.isCommitted = true;
    const { res } = this;
    if (res.socket && res.req.httpVersionMinor > 0) {
      res.writeHead(200, { ...STREAM_HEADERS, 'transfer-encoding': 'chunked' });
      // The framing is ours from here on; ending the message stays with Node.
      res.chunkedEncoding = false;
      this.#socket = res.socket;
      this.#socket.cork();
      res.flushHeaders();
    } else {
      res.writeHead(200, STREAM_HEADERS);
    }
  }

  /** Once for however many writes: the parts of one answer all come through here. */
  #awaitRoom(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    (this.#socket ?? this.res).once('drain', () => {
      this.#isFull = false;
      this.onDrain?.();
    });
  }
}

/** RFC 9112, section 7.1. A chunk of nothing would end the body. */
function frame(bytes: ByteText): string {
  return bytes === '' ? '' : `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
}

function clientClosed(): GatewayError {
  return new GatewayError('client_closed', { message: 'The client closed the connection.' });
}
