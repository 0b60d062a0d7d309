/** The port of what counts for limits, wherever that is: in memory, at the primary, in Redis. */

/** So much of one counter. */
export interface Charge {
  readonly key: string;
  readonly amount: number;
  readonly limit: number;
  /** How long the counter runs from its first charge on; then it begins anew. */
  readonly windowMs: number;
}

/** One lease among all that are held under a key. */
export interface Slot {
  readonly key: string;
  readonly limit: number;
}

/** What one exchange wants, of which it gets all or nothing. */
export interface Wish {
  /** Names the exchange; nobody else's. */
  readonly id: string;
  readonly charges: readonly Charge[];
  readonly slots: readonly Slot[];
}

/** How a counter stands. */
export interface Level {
  readonly used: number;
  /** Until it begins anew; 0 when nothing was charged since it did. */
  readonly resetMs: number;
  /** Names the time for which it runs, so that nothing is given back to a later one; 0: none runs. */
  readonly window: number;
}

/** Levels after what was taken, or as they stand when nothing was. */
export interface Verdict {
  readonly isTaken: boolean;
  /** One for each charge. */
  readonly levels: readonly Level[];
  /** Leases held, one number for each slot. */
  readonly held: readonly number[];
}

/** What has turned out to be too much or too little of a charge. */
export interface Correction {
  readonly key: string;
  /** Below 0: given back, if the window still runs. Above: charged to the one that runs, or to a new one. */
  readonly amount: number;
  readonly window: number;
  /** Of a new one; 0: none is begun. */
  readonly windowMs: number;
}

/** The end of an exchange that got its wish. */
export interface Settling {
  readonly id: string;
  readonly corrections: readonly Correction[];
  /** Keys of the slots that come free. */
  readonly slots: readonly string[];
}

/** The lease of an exchange that goes on. */
export interface HeldLease {
  readonly id: string;
  readonly key: string;
}

/** Each call rejects when the store cannot be reached in time. */
export interface LimitStore {
  take(wish: Wish): Promise<Verdict>;
  settle(settling: Settling): Promise<void>;
  /** Puts off the deadline of these leases; one that the store does not know is held again. */
  renew(leases: readonly HeldLease[]): Promise<void>;
}

/** One that can be gone: another process, another machine. */
export interface RemoteStore extends LimitStore {
  /** Resolves when it answers. */
  check(): Promise<void>;
}

/** A lease that nobody renews is over after so long: its process is dead. */
export const LEASE_MS = 30_000;
/** A few that are lost in a row do no harm. */
export const RENEW_MS = 5000;

/** The wish fits into every limit as they stand. */
export function isGranted(
  { charges, slots }: Wish,
  levels: readonly Level[],
  held: readonly number[],
): boolean {
  return (
    charges.every(({ amount, limit }, i) => (levels[i]?.used ?? 0) + amount <= limit) &&
    slots.every(({ limit }, i) => (held[i] ?? 0) < limit)
  );
}

/** Takes all of it back. */
export function undoing({ id, charges, slots }: Wish, { levels }: Verdict): Settling {
  return {
    id,
    corrections: charges.map(({ key, amount }, i) => ({
      key,
      amount: -amount,
      window: levels[i]?.window ?? 0,
      windowMs: 0,
    })),
    slots: slots.map(({ key }) => key),
  };
}
