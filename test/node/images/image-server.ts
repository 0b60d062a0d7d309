/** A web server on loopback that does what a test tells it, and an internet that leads to it. */

import { afterEach, expect, jest } from '@jest/globals';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import net, {
  isIP,
  type AddressInfo,
  type LookupFunction,
  type Socket,
  type TcpNetConnectOpts,
} from 'node:net';
import type { GatewayError } from '../../../src/core/errors.ts';
import type { FetchImage } from '../../../src/core/operation.ts';
import { createImageFetcher, type ImageFetchOptions } from '../../../src/node/images/index.ts';
import { createSlots } from '../../../src/node/images/slots.ts';

export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

export interface ImageServer {
  /** `127.0.0.1:<port>`, as allowHosts has it. */
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly requests: readonly IncomingMessage[];
  /** Resolves when no connection is open any more. */
  allClosed(): Promise<void>;
}

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

/** Closes itself after the test. */
export async function startImageServer(answer: RequestListener): Promise<ImageServer> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  let onAllClosed: (() => void) | undefined;
  const server = createServer((req, res) => {
    requests.push(req);
    answer(req, res);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket
      .on('error', () => undefined)
      .on('close', () => {
        sockets.delete(socket);
        if (sockets.size === 0) onAllClosed?.();
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  );
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${String(port)}`;
  return {
    host,
    port,
    url: `http://${host}`,
    requests,
    allClosed: () =>
      new Promise((resolve) => {
        onAllClosed = resolve;
        if (sockets.size === 0) resolve();
      }),
  };
}

/** Answers by path; what is not listed is the image. */
export function byPath(answers: Readonly<Record<string, (res: ServerResponse) => void>>): RequestListener {
  return (req, res) => {
    const answer = answers[req.url ?? ''];
    if (answer) answer(res);
    else res.end(PNG);
  };
}

export function redirectTo(location: string, status = 302): (res: ServerResponse) => void {
  return (res) => res.writeHead(status, { location }).end();
}

/** Long enough that no test ever sees it. */
const NEVER_MS = 86_400_000;

/** The images of one request. */
export function imageFetcher(options: Partial<ImageFetchOptions> = {}): FetchImage {
  return imageFetchers(options)();
}

/** Each call begins another request. */
export function imageFetchers(options: Partial<ImageFetchOptions> = {}): () => FetchImage {
  return createImageFetcher({
    enabled: true,
    maxBytes: 1_000_000,
    maxTotalBytes: 1_000_000_000,
    timeoutMs: NEVER_MS,
    maxRedirects: 3,
    allowHosts: [],
    lookup: () => Promise.reject(new Error('This test has no names.')),
    downloads: createSlots(() => 100),
    ...options,
  });
}

/** An address out of the open ones; nothing is ever sent there. */
export const PUBLIC = '93.184.215.14';

/**
 * From now on every connection arrives on this machine, whatever its address. The list tells the
 * addresses that were meant: those of the URL or those that the socket's own lookup answered with.
 */
export function playInternet(): readonly string[] {
  const meant: string[] = [];
  const connect = net.connect as (options: TcpNetConnectOpts) => Socket;
  const arriveHere = (options: TcpNetConnectOpts): Socket => {
    const { host = '', lookup } = options;
    if (isIP(host) !== 0) {
      meant.push(host);
      return connect({ ...options, host: '127.0.0.1' });
    }
    const lookupHere: LookupFunction = (hostname, lookupOptions, callback) => {
      lookup?.(hostname, lookupOptions, (error, addresses) => {
        if (error) {
          callback(error, '');
          return;
        }
        meant.push(...[addresses].flat().map((each) => (typeof each === 'string' ? each : each.address)));
        callback(null, [{ address: '127.0.0.1', family: 4 }]);
      });
    };
    return connect({ ...options, lookup: lookupHere });
  };
  jest.spyOn(net, 'connect').mockImplementation(arriveHere as typeof net.connect);
  return meant;
}

/** The error of an image that cannot be had; throws when it could. */
export async function refusalOf(fetched: Promise<string>): Promise<GatewayError> {
  try {
    await fetched;
  } catch (error) {
    expect(error).toMatchObject({
      name: 'GatewayError',
      reason: 'invalid_request',
      status: 400,
      code: 'invalid_image_url',
    });
    return error as GatewayError;
  }
  throw new Error('the image was fetched');
}

export const unaborted = (): AbortSignal => new AbortController().signal;
