/** Fetches images that clients name by URL, for backends that take nothing but the bytes. */

import { GatewayError } from '../../core/errors.ts';
import type { FetchImage } from '../../core/operation.ts';
import type { ByteText } from '../../core/stream.ts';
import { ACCEPTED_NAMES, TELLING_BYTES, unfitType } from '../../wire/image-type.ts';
import { createClosedAddresses } from './addresses.ts';
import { createByteBudget, type ByteBudget } from './budget.ts';
import type { Reply } from './fetch.ts';
import { createGuardedLookup, systemLookup, type Lookup } from './lookup.ts';
import { createOpenHosts } from './open-hosts.ts';
import { refusal } from './refusal.ts';
import { createSlots, type Slots } from './slots.ts';
import { firstTarget, literalAddress, redirectTarget } from './target.ts';

export interface ImageFetchOptions {
  /** When false, every URL is refused. */
  readonly enabled: boolean;
  readonly maxBytes: number;
  /** Of all images of a request together. */
  readonly maxTotalBytes: number;
  /** For the whole way: name resolution, redirects, the last byte. Waiting for a slot has as long. */
  readonly timeoutMs: number;
  readonly maxRedirects: number;
  /** Hosts, as `host` or `host:port`, that may have any address. */
  readonly allowHosts: readonly string[];
  /** For the downloads of all requests. */
  readonly downloads: Slots;
  /** The system's resolver unless given. */
  readonly lookup?: Lookup;
}

/** Of one request, so that it does not take all slots. */
const PARALLEL_DOWNLOADS = 4;

/**
 * Each call is for the images of one request. They come as padded base64; rejects with GatewayError
 * invalid_request, code invalid_image_url, for whatever is wrong with one, with server_overloaded when
 * too many others are on their way, with the signal's reason when that aborts. Throws a TypeError when
 * an entry of `allowHosts` is no host.
 */
export function createImageFetcher(options: ImageFetchOptions): () => FetchImage {
  const { enabled, maxBytes, timeoutMs, maxRedirects, downloads, lookup: resolve = systemLookup } = options;
  const isOpenHost = createOpenHosts(options.allowHosts);
  const isClosed = createClosedAddresses();
  const lookups = {
    guarded: createGuardedLookup(resolve, isClosed),
    open: createGuardedLookup(resolve, () => false),
  };

  /** Every hop comes through here and is checked anew. */
  async function fetchTarget(target: URL, budget: ByteBudget, signal: AbortSignal): Promise<Reply> {
    const isOpen = isOpenHost(target);
    const address = literalAddress(target);
    if (!isOpen && address !== undefined && isClosed(address)) {
      throw refusal(
        'The image URL leads to an address that is not public. Use a public URL or send the image as a data: URI.',
      );
    }
    // Loaded when the first image is asked for: it is a third of the start-up otherwise.
    const { fetchOnce } = await import('./fetch.ts');
    return fetchOnce(target, { lookup: isOpen ? lookups.open : lookups.guarded, maxBytes, budget, signal });
  }

  async function follow(url: string, budget: ByteBudget, signal: AbortSignal): Promise<Buffer> {
    let target = firstTarget(url);
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const reply = await fetchTarget(target, budget, signal);
      if ('bytes' in reply) return reply.bytes;
      target = redirectTarget(target, reply.location);
    }
    throw refusal(`The image URL redirects more than ${String(maxRedirects)} times.`);
  }

  async function download(url: string, budget: ByteBudget, signal: AbortSignal): Promise<Buffer> {
    const release = await withDeadline(signal, timeoutMs, overloaded, (limited) => downloads.take(limited));
    try {
      return await withDeadline(signal, timeoutMs, late, (limited) => follow(url, budget, limited));
    } finally {
      release();
    }
  }

  return () => {
    const budget = createByteBudget(options.maxTotalBytes);
    const ownDownloads = createSlots(() => PARALLEL_DOWNLOADS);

    return async (url, given) => {
      given.throwIfAborted();
      if (!enabled) {
        throw refusal(
          'Images by URL are switched off on this gateway. Send the image as a data: URI (data:image/png;base64,…).',
        );
      }
      // The images of a request share its signal, and Node warns of more than ten listeners on one.
      const signal = AbortSignal.any([given]);
      const release = await ownDownloads.take(signal);
      try {
        const bytes = await download(url, budget, signal);
        const start = bytes.toString('latin1', 0, TELLING_BYTES) as ByteText;
        const unfit = start === '' ? 'an empty file' : unfitType(start);
        if (unfit !== undefined) throw refusal(`The image URL holds ${unfit}. Send ${ACCEPTED_NAMES}.`);
        return bytes.toString('base64');
      } finally {
        release();
      }
    };
  };
}

/** The signal that the work gets aborts with the given one, and with what `onLate` says when the time is over. */
async function withDeadline<T>(
  signal: AbortSignal,
  timeoutMs: number,
  onLate: (timeoutMs: number) => GatewayError,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const limited = new AbortController();
  const onAbort = (): void => {
    limited.abort(signal.reason);
  };
  const timer = setTimeout(() => {
    limited.abort(onLate(timeoutMs));
  }, timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(limited.signal);
  } catch (error) {
    // What the abort broke on its way is of no interest.
    limited.signal.throwIfAborted();
    if (error instanceof GatewayError) throw error;
    throw refusal('The server of the image URL cannot be reached or did not send the image.', error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function late(timeoutMs: number): GatewayError {
  return refusal(`The image did not arrive within ${String(timeoutMs / 1000)} s.`);
}

function overloaded(): GatewayError {
  return new GatewayError('server_overloaded', {
    message: 'The gateway is fetching as many images as it may. Try again soon.',
    retryAfterSeconds: 1,
  });
}
