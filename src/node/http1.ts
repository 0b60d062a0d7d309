/**
 * The client for plain `http://` backends: keep-alive connections on node:net that share one read
 * buffer and hand each read over as one string: less work a token and less memory a stream than a
 * general client, which has a parser and buffers for each connection. TLS goes through undici.
 */

import { connect } from 'node:net';
import { toGatewayError } from '../core/errors.ts';
import type { UpstreamResponse } from '../core/upstream.ts';
import type { ByteText } from '../core/stream.ts';
import { closeParser, createResponseParser, pushBytes, resetParser } from '../wire/http1.ts';
import { Answer, type Flow } from './answer.ts';
import {
  connectFailure,
  connectionLost,
  connectTimeout,
  STALE_WITHIN_MS,
  StaleConnectionError,
  type Address,
  type Transport,
  type WireRequest,
} from './transport.ts';

/** uvicorn closes idle connections after 5 s: ours must be gone before, or we pick a dying one. */
const IDLE_CONNECTION_MS = 4000;
const MAX_IDLE_CONNECTIONS = 1024;
const READ_BUFFER_BYTES = 64 * 1024;

/** What toString('latin1', …) ends in, without the way there; every Node has it, its types do not. */
type Latin1Sliceable = Uint8Array & { latin1Slice(start: number, end: number): string };

interface Connection {
  carry(request: WireRequest, signal: AbortSignal): Promise<UpstreamResponse>;
  destroy(): void;
}

interface Pool {
  readonly host: string;
  readonly port: number;
  readonly hostHeader: string;
  readonly connectMs: number;
  /** Every connection reads into it; a read is copied out before the next one can begin. */
  readonly readBuffer: Buffer;
  /** Last in, first out: the others grow old and close. */
  readonly idle: Connection[];
}

export function createHttp1Transport({ origin, address, connectMs }: Address): Transport {
  const pool: Pool = {
    host: address ?? origin.hostname.replace(/^\[|\]$/g, ''),
    port: origin.port === '' ? 80 : Number(origin.port),
    hostHeader: origin.host,
    connectMs,
    readBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
    idle: [],
  };

  return {
    async send(request, signal) {
      signal.throwIfAborted();
      const kept = pool.idle.pop();
      if (kept) {
        try {
          return await kept.carry(request, signal);
        } catch (error) {
          if (!(error instanceof StaleConnectionError)) throw error;
        }
      }
      return openConnection(pool).carry(request, signal);
    },
    close() {
      for (const connection of pool.idle.splice(0)) connection.destroy();
    },
  };
}

function openConnection(pool: Pool): Connection {
  let carried: Answer | undefined;
  let isConnected = false;
  let isReused = false;
  let sentMs = 0;

  const parser = createResponseParser();
  const socket = connect({
    host: pool.host,
    port: pool.port,
    noDelay: true,
    onread: { buffer: pool.readBuffer, callback: onRead },
  });
  const connectTimer = setTimeout(() => {
    fail(connectTimeout(pool.connectMs));
  }, pool.connectMs);

  socket.on('connect', () => {
    isConnected = true;
    clearTimeout(connectTimer);
  });
  socket.on('end', () => {
    // A body without a length ends so.
    if (!closeParser(parser)) fail(lost());
  });
  socket.on('error', (cause) => {
    fail(isConnected ? lost(cause) : connectFailure(cause));
  });
  socket.on('timeout', () => {
    fail(lost());
  });
  socket.on('close', () => {
    fail(lost());
  });

  function onRead(length: number, buffer: Uint8Array): boolean {
    if (!carried) {
      socket.destroy(); // nothing was asked
      return false;
    }
    try {
      pushBytes(parser, (buffer as Latin1Sliceable).latin1Slice(0, length) as ByteText);
    } catch (error) {
      fail(toGatewayError(error));
    }
    return true;
  }

  function lost(cause?: unknown): Error {
    const isStale = isReused && parser.isUntouched && performance.now() - sentMs < STALE_WITHIN_MS;
    return isStale ? new StaleConnectionError() : connectionLost(cause);
  }

  function fail(error: Error): void {
    clearTimeout(connectTimer);
    const index = pool.idle.indexOf(connection);
    if (index >= 0) pool.idle.splice(index, 1);
    socket.destroy();
    takeCarried()?.fail(error);
  }

  function takeCarried(): Answer | undefined {
    const taken = carried;
    carried = undefined;
    parser.listener = undefined;
    return taken;
  }

  /** The answer is complete: the connection waits for the next request, if it may. */
  function release(): void {
    takeCarried();
    if (!parser.isReusable || pool.idle.length >= MAX_IDLE_CONNECTIONS) {
      socket.destroy();
      return;
    }
    isReused = true;
    socket.setTimeout(IDLE_CONNECTION_MS);
    pool.idle.push(connection);
  }

  const flow: Flow = { pause: () => socket.pause(), resume: () => socket.resume(), cut: fail };
  const connection: Connection = {
    carry(request, signal) {
      return new Promise((resolve, reject) => {
        carried = new Answer({ signal, flow, resolve, reject, release });
        resetParser(parser, carried);
        socket.setTimeout(0);
        sentMs = performance.now();
        socket.write(printRequest(request, pool.hostHeader));
      });
    },
    destroy() {
      socket.destroy();
    },
  };
  return connection;
}

/** One string, so that head and body leave in one write. */
function printRequest({ method, path, headers, body }: WireRequest, host: string): string {
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  return `${head}content-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
}
