/** Asks a backend what it is and which models it has. Nothing here makes a server load a model. */

import type { ListResponse, Ollama } from 'ollama/browser';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Backend, Discover, Discovery, UpstreamModel, BackendLoad } from '../core/fleet.ts';
import type { Send } from '../core/upstream.ts';
import { createOllamaClient, showModel } from './ollama-model.ts';
import { createUpstreamFetch } from './upstream-fetch.ts';
import { toVllmLoad } from './vllm-load.ts';

/** Descriptions asked for at the same time. */
const PARALLEL_SHOWS = 4;

export function createDiscover(send: Send): Discover {
  /** Model descriptions by backend, name and digest: they change only with the weights. */
  const described = new Map<string, Partial<UpstreamModel>>();

  async function discoverOllama(backend: Backend, signal: AbortSignal): Promise<Discovery> {
    const client = await createOllamaClient(send, backend, signal);
    const [{ version }, { models }, resident] = await Promise.all([
      client.version(),
      client.list(),
      residentOf(client),
    ]);
    const entries = await mapInParallel(models, PARALLEL_SHOWS, (model) => describe(client, backend, model));
    return {
      models: new Map(entries.map((model) => [model.name, model])),
      version,
      ...(resident && { resident }),
    };
  }

  async function describe(client: Ollama, backend: Backend, model: Listed): Promise<UpstreamModel> {
    const key = `${backend.name}\n${model.name}\n${model.digest}`;
    const known = described.get(key) ?? (await showModel(client, model.name));
    if (known) described.set(key, known);
    return {
      name: model.name,
      created: unixSeconds(model.modified_at),
      ownedBy: namespaceOf(model.name),
      digest: model.digest,
      ...known,
    };
  }

  async function discoverVllm(backend: Backend, signal: AbortSignal): Promise<Discovery> {
    const fetchBeside = createUpstreamFetch(send, backend, signal, true);
    const [discovery, health, load] = await Promise.all([
      discoverOpenai(backend, signal),
      fetchBeside('http://backend.invalid/health'),
      vllmLoad(fetchBeside),
    ]);
    // A proxy in front may not pass it on; the engine itself says 503 when it is dead.
    if (health.status >= 500)
      throw new Error(`GET /health was answered with status ${String(health.status)}`);
    return { ...discovery, ...(load && { load }) };
  }

  async function discoverOpenai(backend: Backend, signal: AbortSignal): Promise<Discovery> {
    const response = await createUpstreamFetch(send, backend, signal)('http://backend.invalid/models');
    if (!response.ok) throw new Error(`GET /models was answered with status ${String(response.status)}`);
    const body: unknown = await response.json();
    const data = isJsonObject(body) ? body.data : undefined;
    // Some servers send null for an empty list.
    if (!isJsonObject(body) || (data !== null && !Array.isArray(data))) {
      throw new Error('GET /models was not answered with a model list');
    }
    const models = (data ?? []).filter(isJsonObject).flatMap(toUpstreamModel);
    return { models: new Map(models.map((model) => [model.name, model])), version: '' };
  }

  return (backend, signal) => {
    if (backend.kind === 'ollama') return discoverOllama(backend, signal);
    return backend.kind === 'vllm' ? discoverVllm(backend, signal) : discoverOpenai(backend, signal);
  };
}

type Listed = ListResponse['models'][number];

/** undefined when the server is older than the question. */
async function residentOf(client: Ollama): Promise<string[] | undefined> {
  try {
    return (await client.ps()).models.map(({ name }) => name);
  } catch {
    return undefined;
  }
}

/** undefined when the server has no metrics, or keeps them to itself. */
async function vllmLoad(fetchBeside: typeof fetch): Promise<BackendLoad | undefined> {
  try {
    const response = await fetchBeside('http://backend.invalid/metrics');
    return response.ok ? toVllmLoad(await response.text()) : undefined;
  } catch {
    return undefined;
  }
}

/** As Ollama's own OpenAI layer: `library`, a user, or a registry with its user. */
function namespaceOf(name: string): string {
  const path = name.split('/').slice(0, -1).join('/');
  return path === '' ? 'library' : path;
}

function unixSeconds(time: unknown): number {
  const ms = Date.parse(String(time));
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}

function toUpstreamModel({ id, created, owned_by: owner }: JsonObject): UpstreamModel[] {
  if (typeof id !== 'string' || id === '') return [];
  return [
    {
      name: id,
      created: typeof created === 'number' && Number.isInteger(created) ? created : 0,
      ownedBy: typeof owner === 'string' ? owner : 'unknown',
      digest: '',
    },
  ];
}

async function mapInParallel<T, R>(
  items: readonly T[],
  width: number,
  each: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let i = next++; i < items.length; i = next++) results[i] = await each(items[i] as T);
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return results;
}
