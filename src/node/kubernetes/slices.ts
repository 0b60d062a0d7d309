/** Which pods stand behind a Service, as EndpointSlices tell it. */

/** A Service by the parts of its DNS name. */
export interface Service {
  readonly name: string;
  readonly namespace: string;
}

/** Where one pod listens. */
export interface Endpoint {
  readonly address: string;
  /** undefined: the slice names none, so that of the url holds. */
  readonly port: number | undefined;
}

/** One object of the API, as far as it is of interest. */
export interface Slice {
  readonly name: string;
  /** Of pods that are ready and stay. */
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
  readonly isIpv6: boolean;
}

/** `vllm`, `vllm.models`, `vllm.models.svc` or `vllm.models.svc.cluster.local`. */
export function serviceOf(host: string, ownNamespace: string): Service {
  const [name = '', namespace = ownNamespace] = host.split('.');
  return { name, namespace };
}

interface SliceObject {
  readonly addressType?: unknown;
  readonly metadata?: { readonly name?: unknown };
  readonly endpoints?: readonly {
    readonly addresses?: readonly unknown[];
    readonly conditions?: { readonly ready?: unknown; readonly terminating?: unknown };
  }[];
  readonly ports?: readonly { readonly port?: unknown; readonly protocol?: unknown }[];
}

/** undefined: it has no name, or addresses that are names. */
export function toSlice(object: unknown): Slice | undefined {
  const { metadata, addressType, endpoints, ports } = (object ?? {}) as SliceObject;
  if (typeof metadata?.name !== 'string' || addressType === 'FQDN') return undefined;
  return {
    name: metadata.name,
    isIpv6: addressType === 'IPv6',
    // `ready` that is not told means that it is. A pod that is leaving may still be told as ready
    // by a Service that publishes all addresses.
    addresses: asArray(endpoints)
      .filter(({ conditions }) => conditions?.ready !== false && conditions?.terminating !== true)
      .flatMap(({ addresses }) => asArray(addresses).slice(0, 1))
      .filter((address) => typeof address === 'string'),
    ports: asArray(ports)
      .filter(({ protocol }) => protocol === undefined || protocol === 'TCP')
      .map(({ port }) => port)
      .filter((port) => typeof port === 'number'),
  };
}

/**
 * All pods of the slices, each once and in order. A pod with addresses of both families is one
 * machine: the older family stands for it. The port is that of the url if the pods have it; else
 * their only one, because a Service may call it otherwise.
 */
export function endpointsOf(slices: Iterable<Slice>, urlPort: number): Endpoint[] {
  const all = [...slices];
  const old = all.filter(({ isIpv6 }) => !isIpv6);
  const chosen = old.some(({ addresses }) => addresses.length > 0) ? old : all;
  const found = new Map<string, Endpoint>();
  for (const { addresses, ports } of chosen) {
    const port = ports.length === 1 && ports[0] !== urlPort ? ports[0] : undefined;
    for (const address of addresses) found.set(address, { address, port });
  }
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

function asArray<T>(value: readonly T[] | undefined | null): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [];
}
