/** Backends, their models and their state: what routing is asked and what it answers. */

import type { Client } from './client.ts';
import type { GatewayError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { Outlook } from './outlook.ts';
import type { BackendTls } from './tls.ts';

export const KINDS = ['ollama', 'vllm', 'openai', 'llamacpp', 'lmstudio'] as const;

export type KindName = (typeof KINDS)[number];

/** Limits of one attempt in milliseconds; 0 turns a limit off. */
export interface Timeouts {
  readonly connectMs: number;
  /** From sending the request to the first piece of the answer. */
  readonly firstTokenMs: number;
  /** Between two pieces of the answer. */
  readonly idleMs: number;
  /** From sending the request to the last byte. */
  readonly totalMs: number;
}

/** Where a backend is and what it speaks; all the rest has defaults. */
export interface BackendAddress {
  readonly name: string;
  readonly kind: KindName;
  readonly url: string;
}

/**
 * How the servers behind a url are found: as it stands, one for each address of its host, or one for
 * each pod of the Kubernetes Service that its host names.
 */
export const DISCOVERIES = ['none', 'dns', 'kubernetes'] as const;
export type DiscoveryMode = (typeof DISCOVERIES)[number];

/** One upstream server. */
export interface Backend extends BackendAddress {
  /** Its name in the configuration; one that was found behind another has a name of its own. */
  readonly group: string;
  /** Origin and base path without a trailing slash, e.g. `http://localhost:8000/v1`. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Of a url with https; undefined: as the machine has it. */
  readonly tls?: BackendTls | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Relative capacity; 0 takes no traffic. */
  readonly weight: number;
  /** In-flight exchanges it may have at most. */
  readonly maxConcurrency: number;
  /** Requests that may wait for each of its models when it has that many. */
  readonly queue: number;
  readonly timeouts: Timeouts;
  readonly discovery: DiscoveryMode;
  /** Where to connect in place of the url's host, which stays the name it is called by. */
  readonly address?: string;
}

/** What a backend told of one of its models. */
export interface UpstreamModel {
  readonly name: string;
  /** Unix seconds. */
  readonly created: number;
  readonly ownedBy: string;
  /** Changes with the weights; '' when the backend has no such thing. */
  readonly digest: string;
  readonly family?: string;
  /** Ollama's words: completion, tools, vision, thinking, embedding, … undefined when not known. */
  readonly capabilities?: readonly string[];
  /** The model's own stop strings, which a request's stop would replace. */
  readonly stops?: readonly string[];
  /** What the model is told before a conversation that has no system message of its own. */
  readonly system?: string;
  /** Another server than this one runs it. */
  readonly isRemote?: boolean;
}

/** A backend with what the gateway calls the model there. */
export interface Target {
  readonly backend: Backend;
  readonly upstreamModel: string;
  /** undefined while the backend has not told of it. */
  readonly model: UpstreamModel | undefined;
  /** The server's version as it tells it; '' when unknown. */
  readonly serverVersion: string;
  /** Fixed by the operator for this model, in the words of the backend (num_ctx, keep_alive, …). */
  readonly options: JsonObject;
  /** Options that are the operator's, and that a request may set all the same. */
  readonly requestOptions: readonly string[];
  /** Text completions go through the model's chat template. */
  readonly completionTemplate: boolean;
  /** false: it can be told to think, and not how much. */
  readonly hasThinkLevels?: boolean;
}

/** How busy a backend says it is. */
export interface BackendLoad {
  readonly running: number;
  readonly waiting: number;
  /** Of its key-value cache, 0 to 1; undefined when it does not tell. */
  readonly cacheUsage: number | undefined;
}

/** What a probe learned. */
export interface Discovery {
  /** By the name the backend uses. */
  readonly models: ReadonlyMap<string, UpstreamModel>;
  /** Names of models that are loaded; undefined when the backend does not tell. */
  readonly resident?: readonly string[];
  /** undefined when the backend does not tell. */
  readonly load?: BackendLoad;
  /** '' when the backend does not tell. */
  readonly version: string;
}

/** Asks a backend what it is and has, without loading a model. Rejects when it does not answer. */
export type Discover = (backend: Backend, signal: AbortSignal) => Promise<Discovery>;

/**
 * Asks a backend for a model that it has not listed, without loading it. Never rejects: undefined when
 * it has no such model, would not say, or is of a kind that tells nothing of its models.
 */
export type Describe = (backend: Backend, upstreamModel: string) => Promise<UpstreamModel | undefined>;

/** Who asks for a slot. */
export interface Claim {
  readonly exchangeId: string;
  /** The name of the key: those who wait take turns by it. */
  readonly client: string;
  /** Higher goes first. */
  readonly priority: number;
}

/** A held slot of a backend, until the last byte. */
export interface Lease {
  readonly target: Target;
  /** The backend has begun to answer: it is well. */
  answered(): void;
  /** Once; later calls do nothing. */
  release(outcome: 'ok' | GatewayError): void;
}

export const CIRCUIT_STATES = ['closed', 'half-open', 'open'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

export interface BackendStatus {
  readonly backend: Backend;
  /** The operator wants it to take nothing new. */
  readonly isDrained: boolean;
  /** What the last probe said; true before the first. */
  readonly isUp: boolean;
  readonly circuit: CircuitState;
  readonly inFlight: number;
  /** Requests that wait for a slot here. */
  readonly queued: number;
  /** undefined until the first probe that succeeded. */
  readonly discovery: Discovery | undefined;
}

export interface Pool {
  /**
   * Takes a slot of the best target, synchronously: two requests of one tick never pick by the same
   * counts. When all are busy, gives a promise of the next slot in line; it rejects when `wait`
   * aborts, with the GatewayError that is its reason, else with server_overloaded. Throws
   * server_overloaded when nobody more may wait, upstream_rate_limited or server_overloaded when all
   * have asked to be left alone for a while, no_backend_available when none is left.
   */
  acquire(
    targets: readonly Target[],
    tried: ReadonlySet<string>,
    claim: Claim,
    wait: () => AbortSignal,
  ): Lease | Promise<Lease>;
  /** A probe's result; undefined when it failed. */
  probed(backend: Backend, discovery: Discovery | undefined): void;
  /**
   * Replaces the backends. One of the same name and url keeps its state; one that is gone takes
   * nothing more, and its leases run out.
   */
  configure(backends: readonly Backend[]): void;
  /**
   * Takes the backend of this name, or all that were found behind it, out of choice or back in. What
   * goes on there goes on, and who waits in its line is served; it outlives configure().
   */
  drain(name: string, isDrained: boolean): void;
  /** What acquire() would do with these targets now. Takes nothing. */
  explain(targets: readonly Target[]): Outlook;
  status(): readonly BackendStatus[];
  /** Leases now held, also on backends that are gone. */
  inFlight(): number;
}

/** Where a model can be had. */
export interface Resolution {
  readonly targets: readonly Target[];
  /** A configured or discovered name, else 'other': safe as a label. */
  readonly label: string;
  /** What the operator said it is for. */
  readonly type?: ModelType | undefined;
}

export const MODEL_TYPES = ['chat', 'completion', 'embedding'] as const;

export type ModelType = (typeof MODEL_TYPES)[number];

/** A model that the operator named in the configuration. */
export interface Alias {
  readonly name: string;
  /** undefined: whatever it can. */
  readonly type?: ModelType | undefined;
  /** Without `backend`: every backend that lists the model. */
  readonly targets: readonly { readonly backend?: string | undefined; readonly model: string }[];
  readonly options: JsonObject;
  readonly requestOptions: readonly string[];
  readonly completionTemplate: boolean;
}

/** A name as a client may use it. */
export interface ListedModel {
  readonly id: string;
  readonly created: number;
  readonly ownedBy: string;
}

export interface Catalog {
  /** Throws model_not_found, also for what the client may not use. */
  resolve(model: string, client: Client): Resolution;
  /** What the client may use. */
  list(client: Client): readonly ListedModel[];
}
