/** Who calls, and how much of everything they may have. */

import type { GatewayError } from './errors.ts';
import type { Usage } from './stream.ts';

/** 0: no limit. */
export interface RateLimits {
  readonly requestsPerMinute: number;
  /** Of prompt and answer together. */
  readonly tokensPerMinute: number;
}

/** 0: no limit. */
export interface Limits extends RateLimits {
  /** Exchanges going on at the same time. */
  readonly concurrency: number;
  /** Of one day and one month in UTC. */
  readonly tokensPerDay: number;
  readonly tokensPerMonth: number;
}

export const NO_LIMITS: Limits = {
  requestsPerMinute: 0,
  tokensPerMinute: 0,
  concurrency: 0,
  tokensPerDay: 0,
  tokensPerMonth: 0,
};

/** Limits of a key for the models that a pattern names. */
export interface ModelLimits extends RateLimits {
  /** A name, in which `*` stands for any text and `?` for any character. */
  readonly models: string;
}

/** One that holds a key, or anybody where none is needed. */
export interface Client {
  /** Of the key: in logs, metrics and usage. */
  readonly name: string;
  /** What counters are kept under; it stays when the key itself is replaced. */
  readonly keyId: string;
  /** Patterns of the models that may be asked for; undefined: all. */
  readonly models: readonly string[] | undefined;
  readonly limits: Limits;
  readonly modelLimits: readonly ModelLimits[];
  /** Higher goes first where requests wait. */
  readonly priority: number;
  /** May use the operator's endpoints. */
  readonly isAdmin: boolean;
}

export const ANONYMOUS: Client = {
  name: 'anonymous',
  keyId: 'anonymous',
  models: undefined,
  limits: NO_LIMITS,
  modelLimits: [],
  priority: 0,
  isAdmin: false,
};

export interface Keyring {
  /** Takes the Authorization header. Throws missing_api_key or invalid_api_key. */
  identify(authorization: string | undefined): Client;
}

/** How many tokens a request is going to take, before anybody has counted them. */
export interface TokenEstimate {
  readonly prompt: number;
  /** Of all answers together. */
  readonly answer: number;
}

/** What an exchange is going to need; an operation tells it. */
export interface Demand {
  /** As the client named it; '' when it did not. */
  readonly model: string;
  /** undefined: its tokens are not counted. */
  estimateTokens(): TokenEstimate | undefined;
}

/** How an admitted exchange ended. */
export interface Settlement {
  readonly error: GatewayError | undefined;
  /** As the backend counted; null when it did not. */
  readonly usage: Usage | null;
  /** Tokens that were seen to go to the client, where the backend did not count: 0 when none did. */
  readonly seenTokens: number;
}

/** Leave to go on, with what it holds until the end. */
export interface Permit {
  /** For the answer: `x-ratelimit-…`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Once; later calls do nothing. Gives back what was not needed. Never throws. */
  settle(settlement: Settlement): void;
}

export interface Admission {
  /**
   * Takes what is demanded from all limits that hold for the client, or nothing. undefined, and at
   * once, where none holds. Rejects with rate_limit_exceeded, tokens_exceeded, concurrency_exceeded,
   * insufficient_quota or limits_unavailable.
   */
  admit(client: Client, demand: Demand): Promise<Permit> | undefined;
}
