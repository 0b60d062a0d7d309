/** How the targets of a request would fare now: what routing tells of its choice. */

import type { GatewayError } from './errors.ts';
import type { Target } from './fleet.ts';

/** Why a target would not be chosen now. */
export const OBSTACLES = [
  'drained',
  'weight_0',
  'down',
  'circuit_open',
  'on_trial',
  'cooling_down',
  'busy',
] as const;
export type Obstacle = (typeof OBSTACLES)[number];

/** What the score is made of: weight × successRate ÷ (latencySeconds × (inFlight + 1)). */
export interface Score {
  readonly value: number;
  /** As configured, less what a backend that has just come back does not get yet. */
  readonly weight: number;
  readonly successRate: number;
  /** The mean of the others where it has no sample of its own. */
  readonly latencySeconds: number;
  readonly isLatencyKnown: boolean;
  readonly inFlight: number;
}

/** One target as it would fare now. */
export interface Prospect {
  readonly target: Target;
  /** undefined: the score decides. */
  readonly obstacle: Obstacle | undefined;
  /** In spite of an obstacle: nobody is well, and the least bad one is tried. */
  readonly isLastResort: boolean;
  /** undefined where the score does not matter. */
  readonly score: Score | undefined;
  /** It would be chosen, or drawn among equals. */
  readonly isBest: boolean;
  /** When nobody can be chosen: the request would wait in line here. */
  readonly isWaitedFor: boolean;
}

export interface Outlook {
  readonly prospects: readonly Prospect[];
  /** What a request would hear, when nobody can be chosen and there is no line to wait in. */
  readonly refusal: GatewayError | undefined;
}
