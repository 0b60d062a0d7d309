/** Fetches images that clients name by URL, for backends that take nothing but the bytes. */

import { GatewayError } from '../../core/errors.ts';
import { createClosedAddresses } from './addresses.ts';
import type { Reply } from './fetch.ts';
import { createGuardedLookup, systemLookup, type Lookup } from './lookup.ts';
import { createOpenHosts } from './open-hosts.ts';
import { refusal } from './refusal.ts';
import { firstTarget, literalAddress, redirectTarget } from './target.ts';
import { ACCEPTED_NAMES, unfitType } from './type.ts';

/**
 * Gives an image as padded base64. Rejects with GatewayError invalid_request, code invalid_image_url,
 * for whatever is wrong with it; with the signal's reason when that aborts.
 */
export type FetchImage = (url: string, signal: AbortSignal) => Promise<string>;

export interface ImageFetchOptions {
  /** When false, every URL is refused. */
  readonly enabled: boolean;
  readonly maxBytes: number;
  /** For the whole way: name resolution, redirects, the last byte. */
  readonly timeoutMs: number;
  readonly maxRedirects: number;
  /** Hosts, as `host` or `host:port`, that may have any address. */
  readonly allowHosts: readonly string[];
  /** The system's resolver unless given. */
  readonly lookup?: Lookup;
}

/** Throws a TypeError when an entry of `allowHosts` is no host. */
export function createImageFetcher(options: ImageFetchOptions): FetchImage {
  const { enabled, maxBytes, timeoutMs, maxRedirects, lookup: resolve = systemLookup } = options;
  const isOpenHost = createOpenHosts(options.allowHosts);
  const isClosed = createClosedAddresses();
  const lookups = {
    guarded: createGuardedLookup(resolve, isClosed),
    open: createGuardedLookup(resolve, () => false),
  };

  /** Every hop comes through here and is checked anew. */
  async function fetchTarget(target: URL, signal: AbortSignal): Promise<Reply> {
    const isOpen = isOpenHost(target);
    const address = literalAddress(target);
    if (!isOpen && address !== undefined && isClosed(address)) {
      throw refusal(
        'The image URL leads to an address that is not public. Use a public URL or send the image as a data: URI.',
      );
    }
    // Loaded when the first image is asked for: it is a third of the start-up otherwise.
    const { fetchOnce } = await import('./fetch.ts');
    return fetchOnce(target, { lookup: isOpen ? lookups.open : lookups.guarded, maxBytes, signal });
  }

  async function follow(url: string, signal: AbortSignal): Promise<Buffer> {
    let target = firstTarget(url);
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const reply = await fetchTarget(target, signal);
      if ('bytes' in reply) return reply.bytes;
      target = redirectTarget(target, reply.location);
    }
    throw refusal(`The image URL redirects more than ${String(maxRedirects)} times.`);
  }

  return async (url, signal) => {
    signal.throwIfAborted();
    if (!enabled) {
      throw refusal(
        'Images by URL are switched off on this gateway. Send the image as a data: URI (data:image/png;base64,…).',
      );
    }
    const bytes = await withDeadline(signal, timeoutMs, (limited) => follow(url, limited));
    const unfit = bytes.length === 0 ? 'an empty file' : unfitType(bytes);
    if (unfit !== undefined) throw refusal(`The image URL holds ${unfit}. Send ${ACCEPTED_NAMES}.`);
    return bytes.toString('base64');
  };
}

/** The signal that the work gets aborts with the given one and when the time is over. */
async function withDeadline<T>(
  signal: AbortSignal,
  timeoutMs: number,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const limited = new AbortController();
  const onAbort = (): void => {
    limited.abort(signal.reason);
  };
  const timer = setTimeout(() => {
    limited.abort(refusal(`The image did not arrive within ${String(timeoutMs / 1000)} s.`));
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
