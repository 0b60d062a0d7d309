/** Models in the memory and on the disk of backends that let others decide about it. */

import type { GatewayError } from './errors.ts';
import type { Target } from './fleet.ts';
import type { ByteText } from './stream.ts';
import type { UpstreamRequest } from './upstream.ts';

/** Seconds, or a time such as `30m`; negative: for ever. undefined: what the operator fixed, or the server's own. */
export type KeepAlive = number | string | undefined;

/** What a kind can do besides answering. Each is one request, whose status tells whether it went well. */
export interface ResidencyMethods {
  /** Loads the model as the first request for it would, so that this one need not. */
  load(target: Target, keepAlive: KeepAlive): UpstreamRequest;
  unload(target: Target): UpstreamRequest;
  /** Fetches a model from where the server has it from; answered by lines of progress. */
  pull(model: string, isInsecure: boolean): UpstreamRequest;
  /** Throws GatewayError for a line that tells of a failure, or is none of these lines. */
  readProgress(line: ByteText): PullProgress;
}

export interface PullProgress {
  /** The server's words. */
  readonly status: string;
  /** Of the layer that is fetched. */
  readonly digest?: string;
  readonly totalBytes?: number;
  readonly completedBytes?: number;
  /** All of it is there. */
  readonly isDone: boolean;
}

/** What has become of it on one backend. */
export interface ResidencyResult {
  readonly backend: string;
  /** What the model is called there. */
  readonly model: string;
  readonly error: GatewayError | undefined;
  readonly durationMs: number;
}
