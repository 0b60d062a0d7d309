/** The two calls of the Kubernetes API that discovery needs: list the EndpointSlices of a Service, and watch them. */

import { readFile } from 'node:fs/promises';
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { ByteText } from '../../core/stream.ts';
import { createLineReader } from '../../wire/lines.ts';
import { toSlice, type Service, type Slice } from './slices.ts';

export interface ClusterAccess {
  /** `https://kubernetes.default.svc` */
  readonly url: string;
  /** Where the kubelet puts `token`, `ca.crt` and `namespace`. */
  readonly credentialsFolder: string;
}

/** What the API answered instead of what was asked for. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** The version that a watch wanted to go on from is forgotten: only a new list helps. */
  get isExpired(): boolean {
    return this.status === 410;
  }
}

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly slice: Slice; readonly version: string }
  | { readonly type: 'BOOKMARK'; readonly version: string };

export interface SliceList {
  readonly slices: readonly Slice[];
  /** From where a watch goes on. */
  readonly version: string;
}

export interface KubernetesApi {
  ownNamespace(): Promise<string>;
  /** Rejects with KubernetesError, or what the connection failed of. */
  list(service: Service, signal: AbortSignal): Promise<SliceList>;
  /**
   * Calls `onEvent` for every change, until the API ends the watch as it does now and then, or
   * `signal` aborts. Rejects like `list`, expired among the rest.
   */
  watch(
    service: Service,
    version: string,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

const PAGE = 500;
/** Of one Service: slices hold a hundred endpoints each. */
const MAX_PAGES = 20;
const MAX_LIST_BYTES = 32 * 1024 * 1024;
const MAX_EVENT_BYTES = 4 * 1024 * 1024;
const LIST_MS = 10_000;
/** What the API is asked for. It sends bookmarks about once a minute meanwhile. */
const WATCH_SECONDS = 300;
/** A connection that died without a word is given up then. */
const WATCH_IDLE_MS = 150_000;
const WATCH_MS = (WATCH_SECONDS + 30) * 1000;

export function createKubernetesApi(access: () => ClusterAccess): KubernetesApi {
  const read = async (name: string): Promise<string> =>
    (await readFile(join(access().credentialsFolder, name), 'utf8')).trim();

  /** Token and authorities are read each time: both are replaced while the pod lives. */
  async function get(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const target = new URL(path, access().url);
    const isSecure = target.protocol === 'https:';
    const [token, ca] = await Promise.all([read('token'), isSecure ? read('ca.crt') : undefined]);
    const options = {
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        'user-agent': 'node-ai-gateway',
      },
      signal,
      // A connection for each call: there are few, and the old token must not stay in use.
      agent: false,
      // Whatever the environment of Node says: the token is for nobody else.
      ...(ca !== undefined && { ca, rejectUnauthorized: true }),
    } as const;
    // TLS is loaded when the first such call is made: a start without it is shorter.
    const request = isSecure ? (await import('node:https')).request : requestHttp;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(target, options, resolve).on('error', reject).end();
    });
    const { statusCode = 0 } = response;
    if (statusCode === 200) return response;
    response.destroy();
    throw new KubernetesError(statusCode, explain(statusCode));
  }

  return {
    ownNamespace: () => read('namespace'),

    async list(service, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(LIST_MS)]);
      const slices: Slice[] = [];
      let next = '';
      for (let page = 0; page < MAX_PAGES; page++) {
        const query = { limit: String(PAGE), ...(next !== '' && { continue: next }) };
        const text = await readAll(await get(pathOf(service, query), limit));
        const { items = [], metadata = {} } = JSON.parse(text) as ListObject;
        slices.push(...items.map(toSlice).filter((slice) => slice !== undefined));
        next = metadata.continue ?? '';
        if (next === '') return { slices, version: metadata.resourceVersion ?? '' };
      }
      throw new KubernetesError(200, `The Service has more than ${String(MAX_PAGES * PAGE)} EndpointSlices.`);
    },

    async watch(service, version, onEvent, signal) {
      const query = {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        timeoutSeconds: String(WATCH_SECONDS),
      };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(WATCH_MS)]);
      const response = await get(pathOf(service, query), limit);
      response.setTimeout(WATCH_IDLE_MS, () => response.destroy(new Error('The watch fell silent.')));
      const lines = createLineReader(MAX_EVENT_BYTES, (line) => {
        if (line !== '') readEvent(line, onEvent);
      });
      try {
        // No stop inside a line: what was cut off is told again after the last version.
        for await (const chunk of response) lines.push((chunk as Buffer).toString('latin1') as ByteText);
      } finally {
        response.destroy();
      }
    },
  };
}

interface ListObject {
  readonly items?: readonly unknown[];
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
}

interface EventObject {
  readonly type?: string;
  readonly object?: {
    readonly metadata?: { readonly resourceVersion?: string };
    /** Of a Status, in place of a slice. */
    readonly code?: number;
    readonly message?: string;
  };
}

function readEvent(line: ByteText, onEvent: (event: WatchEvent) => void): void {
  const { type, object } = JSON.parse(Buffer.from(line, 'latin1').toString()) as EventObject;
  const version = object?.metadata?.resourceVersion ?? '';
  if (type === 'ERROR') throw new KubernetesError(object?.code ?? 500, 'The API ended the watch.');
  if (type === 'BOOKMARK') onEvent({ type, version });
  const slice = toSlice(object);
  if (slice && (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED')) {
    onEvent({ type, slice, version });
  }
}

function pathOf({ name, namespace }: Service, query: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${name}`, ...query });
  const folder = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}`;
  return `${folder}/endpointslices?${parameters.toString()}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_LIST_BYTES) throw new KubernetesError(200, 'The list of EndpointSlices is too long.');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function explain(status: number): string {
  if (status === 401) return 'The Kubernetes API refuses the token of the service account.';
  if (status === 403) {
    return 'The service account may not read EndpointSlices: allow get, list and watch in the namespace of the Service.';
  }
  if (status === 410) return 'The Kubernetes API has forgotten the version to go on from.';
  return `The Kubernetes API answered with status ${String(status)}.`;
}
