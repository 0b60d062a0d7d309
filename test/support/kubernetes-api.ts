/** The part of the Kubernetes API that lists and watches EndpointSlices, over real sockets, with the oddities of the real one. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pod {
  readonly address: string;
  readonly ready?: boolean;
  readonly terminating?: boolean;
}

export interface SliceSpec {
  readonly service: string;
  readonly namespace?: string;
  readonly pods: readonly Pod[];
  readonly port?: number;
  readonly addressType?: 'IPv4' | 'IPv6' | 'FQDN';
}

export interface FakeKubernetes {
  readonly url: string;
  /** With `token`, `ca.crt` and `namespace`, as the kubelet puts them. */
  readonly credentialsFolder: string;
  /** Paths with their queries, in order; those of refused requests too. */
  readonly requests: readonly URL[];
  /** Adds or replaces a slice, and tells the watches. */
  put(name: string, slice: SliceSpec): void;
  remove(name: string): void;
  /** Tells the watches how far they are, and nothing else. */
  bookmark(): void;
  /** Forgets all versions up to now, as etcd does every few minutes. */
  compact(): void;
  /** Ends the watches as their time limit does. */
  endWatches(): void;
  /** Breaks their connections in the middle of an event. */
  breakWatches(): void;
  /** Sends this text to them, as it stands. */
  say(text: string): void;
  /** Watches going on. */
  watches(): number;
  /** The kubelet replaces the token; the API takes only the new one. */
  rotate(token: string): void;
  /** Namespaces that the service account may read. */
  allow(...namespaces: readonly string[]): void;
  close(): Promise<void>;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** What the kubelet gives to pods. */
  readonly ca: string;
}

interface Stored {
  readonly namespace: string;
  readonly service: string;
  readonly object: object & { readonly metadata: { readonly name: string } };
}

interface Change extends Stored {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
}

interface Watch {
  readonly res: ServerResponse;
  readonly namespace: string;
  readonly service: string;
}

export async function startKubernetes(certificate?: Certificate): Promise<FakeKubernetes> {
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-'));
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const stored = new Map<string, Stored>();
  const requests: URL[] = [];
  const watches = new Set<Watch>();
  let changes: Change[] = [];
  let version = 100;
  let oldest = 0;
  let token = 'first-token';
  let allowed: readonly string[] = ['default', 'models'];
  put('token', `${token}\n`);
  put('namespace', 'default');
  put('ca.crt', certificate?.ca ?? '');

  function answer(req: IncomingMessage, res: ServerResponse): void {
    const url = new URL(req.url ?? '/', 'http://kubernetes');
    requests.push(url);
    const [, namespace = ''] =
      /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/([^/]+)\/endpointslices$/.exec(url.pathname) ?? [];
    const [, service = ''] =
      /^kubernetes\.io\/service-name=(.+)$/.exec(url.searchParams.get('labelSelector') ?? '') ?? [];
    if (namespace === '' || service === '') refuse(res, 404, 'NotFound');
    else if (req.headers.authorization !== `Bearer ${token}`) refuse(res, 401, 'Unauthorized');
    else if (!allowed.includes(namespace)) refuse(res, 403, 'Forbidden');
    else if (url.searchParams.get('watch') === 'true') watch(url.searchParams, { res, namespace, service });
    else list(url.searchParams, { res, namespace, service });
  }

  function list(query: URLSearchParams, { res, namespace, service }: Watch): void {
    const all = [...stored.values()].filter(
      (each) => each.namespace === namespace && each.service === service,
    );
    const from = Number(query.get('continue') ?? 0);
    const to = from + Number(query.get('limit') ?? all.length);
    res.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        kind: 'EndpointSliceList',
        apiVersion: 'discovery.k8s.io/v1',
        metadata: { resourceVersion: String(version), ...(to < all.length && { continue: String(to) }) },
        items: all.slice(from, to).map(({ object }) => object),
      }),
    );
  }

  function watch(query: URLSearchParams, given: Watch): void {
    const from = Number(query.get('resourceVersion'));
    given.res.writeHead(200, { 'content-type': 'application/json' });
    given.res.flushHeaders();
    if (from < oldest) {
      given.res.end(
        line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }),
      );
      return;
    }
    watches.add(given);
    given.res.on('close', () => watches.delete(given));
    for (const change of changes.filter((each) => each.version > from)) tell(given, change);
  }

  /** An event may arrive in pieces, and two in one. */
  function tell({ res, namespace, service }: Watch, change: Change): void {
    if (change.namespace !== namespace || change.service !== service) return;
    const text = line(change.type, change.object);
    res.write(text.slice(0, 40));
    res.write(text.slice(40));
  }

  function record(type: Change['type'], each: Stored): void {
    version += 1;
    const metadata = { ...each.object.metadata, resourceVersion: String(version) };
    const change = { ...each, type, version, object: { ...each.object, metadata } };
    changes.push(change);
    if (type === 'DELETED') stored.delete(each.object.metadata.name);
    else stored.set(each.object.metadata.name, change);
    for (const given of watches) tell(given, change);
  }

  const server = certificate ? createSecureServer(certificate, answer) : createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${String(port)}`,
    credentialsFolder: folder,
    requests,
    put(name, spec) {
      record(stored.has(name) ? 'MODIFIED' : 'ADDED', toStored(name, spec));
    },
    remove(name) {
      const known = stored.get(name);
      if (known) record('DELETED', known);
    },
    bookmark() {
      version += 10; // others change too
      const object = { kind: 'EndpointSlice', metadata: { resourceVersion: String(version) } };
      for (const { res } of watches) res.write(line('BOOKMARK', object));
    },
    compact() {
      version += 10;
      oldest = version;
      changes = [];
    },
    endWatches() {
      for (const { res } of watches) res.end();
      watches.clear();
    },
    breakWatches() {
      for (const { res } of watches) {
        res.write('{"type":"ADDED","obj', () => res.socket?.resetAndDestroy());
      }
      watches.clear();
    },
    say(text) {
      for (const { res } of watches) res.write(text);
    },
    watches: () => watches.size,
    rotate(next) {
      token = next;
      put('token', next);
    },
    allow(...namespaces) {
      allowed = namespaces;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function toStored(
  name: string,
  { service, namespace = 'default', pods, port = 8000, addressType = 'IPv4' }: SliceSpec,
): Stored {
  return {
    namespace,
    service,
    object: {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
      addressType,
      endpoints: pods.map(({ address, ready, terminating = false }) => ({
        addresses: [address],
        conditions: { ...(ready !== undefined && { ready }), serving: ready !== false, terminating },
        targetRef: { kind: 'Pod', name: address },
      })),
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    } as Stored['object'],
  };
}

function line(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

function refuse(res: ServerResponse, code: number, reason: string): void {
  res.writeHead(code, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code }));
}
