/** One GET on a connection of its own: the bytes of a 200, or where a redirect points. */

import type { LookupFunction } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import type { ByteBudget } from './budget.ts';
import { refusal } from './refusal.ts';

export interface FetchOptions {
  /** Answers only with addresses that may be connected to. Not asked when the host is an address. */
  readonly lookup: LookupFunction;
  /** Of this image. */
  readonly maxBytes: number;
  /** Of this and the others of its request. */
  readonly budget: ByteBudget;
  /** Ends the attempt at once, in whatever state it is. */
  readonly signal: AbortSignal;
}

export type Reply = { readonly bytes: Buffer } | { readonly location: string };

type Response = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

const FIRST_BYTES = 64 * 1024;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Nothing of the client's own request goes along, and nothing of the operator's. */
const HEADERS = {
  'user-agent': 'node-ai-gateway',
  accept: 'image/png, image/jpeg, image/webp',
  'accept-encoding': 'identity',
};

/** Rejects with invalid_image_url, or with what the connection failed of. */
export async function fetchOnce(url: URL, options: FetchOptions): Promise<Reply> {
  const { lookup, signal } = options;
  signal.throwIfAborted();
  const client = new Client(url.origin, {
    // The signal goes to the socket, since a request's own is not looked at while it connects.
    // Its deadline covers everything, so nothing else has one.
    connect: { lookup, signal, timeout: 0 },
    headersTimeout: 0,
    bodyTimeout: 0,
    // No keep-alive.
    pipelining: 0,
  });
  try {
    const response = await client.request({
      method: 'GET',
      path: url.pathname + url.search,
      headers: HEADERS,
    });
    return replyOf(response) ?? { bytes: await readBody(response, options) };
  } finally {
    void client.destroy();
  }
}

/** A reply that is known from the head; throws for all that is not a plain 200. */
function replyOf({ statusCode, headers }: Response): Reply | undefined {
  const { location, 'content-encoding': encoding = 'identity' } = headers;
  if (REDIRECTS.has(statusCode) && typeof location === 'string') return { location };
  if (statusCode !== 200) {
    throw refusal(
      'The server of the image URL did not send the image. Check that the URL can be opened without signing in.',
      new Error(`It answered with status ${String(statusCode)}.`),
    );
  }
  if (encoding !== 'identity') {
    throw refusal('The server of the image URL sent compressed data although it was asked not to.');
  }
  return undefined;
}

async function readBody(
  { headers, body }: Response,
  { maxBytes, budget }: Pick<FetchOptions, 'maxBytes' | 'budget'>,
): Promise<Buffer> {
  const tooLarge = refusal(`The image is larger than ${String(maxBytes)} bytes. Send a smaller one.`);
  const declared = Number(headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge;
  budget.check(declared);
  let held = Buffer.allocUnsafe(FIRST_BYTES);
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (size + chunk.length > maxBytes) throw tooLarge;
    budget.take(chunk.length);
    if (size + chunk.length > held.length) held = enlarged(held, size + chunk.length);
    // Copied, because a chunk keeps the whole read it came in, which a server can pad at will.
    held.set(chunk, size);
    size += chunk.length;
  }
  return held.subarray(0, size);
}

function enlarged(held: Buffer, neededBytes: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(Math.max(neededBytes, 2 * held.length));
  larger.set(held);
  return larger;
}
