/** What a request lives by, fixed when it begins: a reload changes it for those that begin later. */

import type { Admission, Keyring } from '../core/client.ts';
import type { Catalog } from '../core/fleet.ts';
import type { SurfaceContext } from '../core/operation.ts';
import type { Dispatch } from '../gateway/dispatch.ts';
import type { CorsSettings } from './cors.ts';

/** Where raw requests go that name no model: names of backends. */
export interface PassthroughSettings {
  /** undefined: the first of kind openai, else of vllm. */
  readonly backend?: string | undefined;
  /** In its place, for paths that begin so; the longest counts. */
  readonly paths: Readonly<Record<string, string>>;
}

export interface Generation {
  readonly catalog: Catalog;
  readonly dispatch: Dispatch;
  readonly keyring: Keyring;
  /** undefined: the operator has no key, and no endpoints. */
  readonly adminKeyring: Keyring | undefined;
  readonly admission: Admission;
  readonly surfaces: Omit<SurfaceContext, 'isStrict'>;
  /** Parameters without effect are refused; a client can ask for it with `x-gateway-strict: true`. */
  readonly isStrict: boolean;
  /** Of a request's body. */
  readonly bodyLimitBytes: number;
  /** How long a request may wait for a busy backend. */
  readonly queueTimeoutMs: number;
  readonly passthrough: PassthroughSettings;
  readonly cors: CorsSettings;
}
