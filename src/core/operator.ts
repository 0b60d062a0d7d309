/** What the operator sees and does, of all processes together unless it says otherwise. */

import type { KeySource } from './api-key.ts';
import type { Limits, ModelLimits } from './client.ts';
import type { StreamStatus } from './exchange.ts';
import type { BackendLoad, CircuitState, KindName, ModelType, Target } from './fleet.ts';
import type { GatewayError } from './errors.ts';
import type { Prospect } from './outlook.ts';
import type { KeepAlive, PullProgress, ResidencyResult } from './residency.ts';

/** Survives JSON: workers tell it each other. */
export interface BackendView {
  readonly name: string;
  /** Its name in the configuration. */
  readonly group: string;
  readonly kind: KindName;
  /** The last probe of one of the processes succeeded; also before the first. */
  readonly isUp: boolean;
  /** The worst of the processes. */
  readonly circuit: CircuitState;
  readonly isDrained: boolean;
  readonly weight: number;
  readonly inFlight: number;
  readonly queued: number;
  /** Exchanges that it may have at most; null: no limit. */
  readonly slots: number | null;
  /** As it says itself; null when it does not. */
  readonly load: BackendLoad | null;
  /** How many models it lists. */
  readonly models: number;
  /** Models in its memory; null when it does not tell. */
  readonly resident: readonly string[] | null;
  /** '' when it does not tell. */
  readonly version: string;
}

export interface FleetDesk {
  backends(): Promise<readonly BackendView[]>;
  /**
   * Lets a backend, or all that were found behind this name, take nothing new, or takes it back;
   * resolves with those of this name when all processes obey. Rejects with unknown_backend, and with
   * invalid_request for one that is drained together with others.
   */
  drain(name: string, isDrained: boolean): Promise<readonly BackendView[]>;
}

/** An exchange that is going on. */
export interface StreamView {
  readonly requestId: string;
  readonly client: string;
  readonly model: string;
  readonly backend: string;
  readonly isStream: boolean;
  readonly durationMs: number;
}

export interface StreamsView {
  readonly streams: readonly StreamView[];
  /** Streams that have ended since the processes began, by how. */
  readonly totals: Readonly<Record<StreamStatus, number>>;
}

export interface StreamsDesk {
  streams(): Promise<StreamsView>;
  /** Ends every exchange of this id; resolves with their number. Rejects with unknown_request. */
  cancel(requestId: string): Promise<number>;
}

/** A name that clients may use, as this process knows it. */
export interface ModelView {
  readonly name: string;
  /** The operator gave it in the configuration. */
  readonly isAlias: boolean;
  readonly type: ModelType | undefined;
  readonly places: readonly ModelPlace[];
}

export interface ModelPlace {
  readonly target: Target;
  /** In the backend's memory, as of the last probe; undefined when it does not tell. */
  readonly isResident: boolean | undefined;
}

/** Where something is to be done: undefined is everywhere where it can be done. */
export interface Wish {
  readonly model: string;
  readonly backend: string | undefined;
}

export interface ModelsDesk {
  /**
   * Reject with model_not_found or unknown_backend, with invalid_request where no backend can do it,
   * and with the failure of the first backend when all fail.
   */
  warm(wish: Wish, keepAlive: KeepAlive, signal: AbortSignal): Promise<readonly ResidencyResult[]>;
  unload(wish: Wish, signal: AbortSignal): Promise<readonly ResidencyResult[]>;
  /**
   * Rejects with model_not_found, unknown_backend or invalid_request before anything is sent; each
   * failure after that is told, and stands in the results.
   */
  pull(
    wish: Wish,
    isInsecure: boolean,
    listener: PullListener,
    signal: AbortSignal,
  ): Promise<readonly ResidencyResult[]>;
}

export interface PullListener {
  /** False: the operator reads slower than this is told. */
  tell(backend: string, news: PullProgress | GatewayError): boolean;
  /** Calls back once, when there is room again. */
  onceDrained(resume: () => void): void;
}

/** How a request would fare in this process. */
export interface Explanation {
  readonly model: string;
  /** The name in logs, metrics and usage. */
  readonly label: string;
  readonly type: ModelType | undefined;
  readonly candidates: readonly ExplainedCandidate[];
  readonly refusal: GatewayError | undefined;
}

export interface ExplainedCandidate extends Prospect {
  readonly view: BackendView;
  /** The model is in its memory; undefined when it does not tell. */
  readonly isResident: boolean | undefined;
  /** Parameters of the request that have no effect there. */
  readonly ignoredParams: readonly string[];
}

/** A key as anybody may see it who runs the gateway: neither the key nor its hash. */
export interface KeyView {
  readonly id: string;
  readonly name: string;
  /** The setting in which it is written down. */
  readonly source: KeySource;
  readonly state: 'active' | 'expired' | 'revoked';
  /** undefined: all. */
  readonly models: readonly string[] | undefined;
  readonly limits: Limits;
  readonly modelLimits: readonly ModelLimits[];
  readonly priority: number;
  /** ISO 8601; undefined: never. */
  readonly expires: string | undefined;
  readonly isAdmin: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  /** Until when keys that it has replaced are still good. */
  readonly previousUntil: readonly string[];
}

/** What has become of a change of the key file. */
export interface KeyChange {
  readonly id: string;
  /** The key itself, this once; undefined when none was made. */
  readonly key: string | undefined;
  /** As it holds now; undefined when the configuration could not be loaded anew. */
  readonly view: KeyView | undefined;
}

/** What may be said of a new key. */
export interface NewKey {
  readonly name: string;
  /** A date, or a time. */
  readonly expires?: string | undefined;
}

export interface Rotation {
  /** How long what it replaces may still be used; 0: no more. */
  readonly graceMs: number;
  /** In place of the expiry that it had. */
  readonly expires: string | undefined;
}

/**
 * `called`: the id or the name of a key. All reject with unknown_key, invalid_request for a key that
 * is not of the key file, and key_file_failed when that cannot be changed.
 */
export interface KeysDesk<Made extends NewKey = NewKey> {
  keys(): readonly KeyView[];
  create(key: Made): Promise<KeyChange>;
  rotate(called: string, rotation: Rotation): Promise<KeyChange>;
  revoke(called: string): Promise<KeyChange>;
}
