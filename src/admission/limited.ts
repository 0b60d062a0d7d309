/** Admission by limits: takes what a request is expected to need, and settles it when it is over. */

import type { Admission, Client, Demand, Limits, Permit, Settlement, TokenEstimate } from '../core/client.ts';
import type { HeldLease, LimitStore, Verdict } from '../core/limits.ts';
import {
  chargesOf,
  correctionsOf,
  slotsOf,
  spentTokens,
  type RuledCharge,
  type RuledSlot,
} from './charges.ts';
import { rateHeaders } from './rate-headers.ts';
import { refusalOf } from './refusals.ts';
import { createRules, type Rule } from './rules.ts';

export interface LimitedOptions {
  readonly store: LimitStore;
  /** What holds for all clients together. */
  readonly quota: () => Limits;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Nobody's id but this one's. */
  readonly newId: () => string;
  /** Some limit of this sort was in the way. */
  readonly refused: (sort: Rule['sort']) => void;
}

export interface LimitedAdmission extends Admission {
  /** Puts off the deadlines of all leases; to be called every RENEW_MS. Never rejects. */
  renew(): Promise<void>;
}

const NO_TOKENS: TokenEstimate = { prompt: 0, answer: 0 };

/** What is held of a wish that was granted. */
interface Grant {
  readonly id: string;
  readonly charges: readonly RuledCharge[];
  readonly slots: readonly RuledSlot[];
  readonly estimate: TokenEstimate;
  readonly verdict: Verdict;
}

export function createLimited({ store, quota, wallClock, newId, refused }: LimitedOptions): LimitedAdmission {
  const rulesOf = createRules(quota);
  /** The exchanges that hold leases. */
  const holders = new Map<string, readonly RuledSlot[]>();

  async function take(rules: readonly Rule[], estimate: TokenEstimate | undefined): Promise<Permit> {
    const charges = chargesOf(rules, estimate, wallClock());
    const slots = slotsOf(rules);
    const id = newId();
    const verdict = await store.take({ id, charges: charges.map(plain), slots: slots.map(plainSlot) });
    if (!verdict.isTaken) {
      const { sort, error } = refusalOf(charges, slots, verdict);
      refused(sort);
      throw error;
    }
    if (slots.length > 0) holders.set(id, slots);
    return createPermit({ id, charges, slots, estimate: estimate ?? NO_TOKENS, verdict });
  }

  function createPermit(grant: Grant): Permit {
    let isSettled = false;
    return {
      headers: rateHeaders(grant.charges, grant.verdict.levels),
      settle(settlement) {
        if (isSettled) return;
        isSettled = true;
        settle(grant, settlement);
      },
    };
  }

  function settle({ id, charges, slots, estimate, verdict }: Grant, settlement: Settlement): void {
    holders.delete(id);
    const corrections = correctionsOf(charges, verdict.levels, spentTokens(settlement, estimate));
    if (corrections.length === 0 && slots.length === 0) return;
    store.settle({ id, corrections, slots: slots.map(({ key }) => key) }).catch(isLost);
  }

  return {
    admit(client: Client, demand: Demand) {
      const rules = rulesOf(client, demand.model);
      return rules.length === 0 ? undefined : take(rules, estimateFor(rules, demand));
    },
    async renew() {
      const leases: HeldLease[] = [];
      for (const [id, slots] of holders) for (const { key } of slots) leases.push({ id, key });
      await store.renew(leases).catch(isLost);
    },
  };
}

/** To walk through a prompt is for limits that need to know. */
function estimateFor(rules: readonly Rule[], demand: Demand): TokenEstimate | undefined {
  const isAsked = rules.some(({ sort }) => sort === 'tokens' || sort === 'budget');
  return isAsked ? demand.estimateTokens() : undefined;
}

/** What the store needs to know, and what may go to another process. */
function plain({ key, amount, limit, windowMs }: RuledCharge): Omit<RuledCharge, 'rule'> {
  return { key, amount, limit, windowMs };
}

function plainSlot({ key, limit }: RuledSlot): Omit<RuledSlot, 'rule'> {
  return { key, limit };
}

/** The store is gone, and says so itself: what it knew of this exchange it forgets in time. */
const isLost = (): undefined => undefined;
