/** Images given by URL, for backends that take only what is in the request. */

import type { ChatRequest, ContentPart } from '../../core/chat.ts';
import { GatewayError, toGatewayError } from '../../core/errors.ts';
import type { FetchImage } from '../../core/operation.ts';

/** Each is a connection of the gateway's own to wherever a client says. */
const MAX_IMAGES = 16;

interface RemoteImage {
  readonly url: string;
  readonly param: string;
}

export function hasRemoteImages({ body, images }: ChatRequest): boolean {
  return images === undefined && body.messages.some(({ content }) => partsOf(content).some(isRemote));
}

/** The request with its images beside it. Rejects with GatewayError (400) naming the part at fault. */
export async function fetchImages(
  request: ChatRequest,
  fetchImage: FetchImage,
  signal: AbortSignal,
): Promise<ChatRequest> {
  const remote = remoteImages(request);
  const [tooMany] = remote.slice(MAX_IMAGES);
  if (tooMany) {
    throw new GatewayError('invalid_request', {
      message: `At most ${String(MAX_IMAGES)} images of a request may be given by URL. Send the others as data: URIs.`,
      param: tooMany.param,
      code: 'too_many_images',
    });
  }
  // The first failure is the answer, and stops the other downloads.
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  try {
    const fetched = remote.map(
      async ({ url, param }) => [url, await fetchNamed(url, param, fetchImage, either)] as const,
    );
    return { ...request, images: new Map(await Promise.all(fetched)) };
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

async function fetchNamed(
  url: string,
  param: string,
  fetchImage: FetchImage,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await fetchImage(url, signal);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.reason !== 'invalid_request') throw error;
    const { message, code } = error;
    throw new GatewayError('invalid_request', { message, param, ...(code !== null && { code }) });
  }
}

/** Each URL once, under the name of the first part that has it. */
function remoteImages({ body }: ChatRequest): RemoteImage[] {
  const byUrl = new Map<string, RemoteImage>();
  body.messages.forEach(({ content }, m) => {
    partsOf(content).forEach((part, p) => {
      if (!isRemote(part)) return;
      const url = urlOf(part);
      const param = `messages[${String(m)}].content[${String(p)}].image_url.url`;
      if (!byUrl.has(url)) byUrl.set(url, { url, param });
    });
  });
  return [...byUrl.values()];
}

function partsOf(content: unknown): readonly ContentPart[] {
  return Array.isArray(content) ? (content as readonly ContentPart[]) : [];
}

function isRemote(part: ContentPart): boolean {
  return /^https?:/i.test(urlOf(part));
}

function urlOf(part: ContentPart): string {
  if (part.type !== 'image_url') return '';
  return typeof part.image_url === 'string' ? part.image_url : part.image_url.url;
}
