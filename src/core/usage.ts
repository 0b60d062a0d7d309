/** Who used how much of what: the words of the ledger, and what keeps it. */

/** What is counted together. */
export interface UsageKey {
  /** In UTC, `2026-08-21`; of a request that lasts, the day of its end. */
  readonly day: string;
  /** What the key is counted under; it stays when the key itself is replaced. */
  readonly keyId: string;
  /** As the record names it: never a name that a client made up. */
  readonly model: string;
  /** '' when none was tried. */
  readonly backend: string;
}

/** Tokens as the backend counted them; where it did not, the pieces of text that went to the client. */
export interface UsageCounts {
  readonly requests: number;
  /** Requests that failed, by the reason of the failure. */
  readonly errors: Readonly<Record<string, number>>;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of the input. */
  readonly cachedTokens: number;
  /** Part of the output. */
  readonly reasoningTokens: number;
}

export interface UsageRow extends UsageKey, UsageCounts {
  /** The name of the key when it was last used. */
  readonly key: string;
}

/** What outlives the process. */
export interface UsageStore {
  /** Adds to what is kept. Never rejects: resolves with the rows that could not be kept now, [] as a rule. */
  append(rows: readonly UsageRow[]): Promise<readonly UsageRow[]>;
  /** All that is kept from this day on, by any process; undefined: all. Rows of one key may come several times. */
  read(fromDay: string | undefined): Promise<readonly UsageRow[]>;
}

export const USAGE_DIMENSIONS = ['day', 'key', 'model', 'backend'] as const;
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number];

/** undefined: whatever there is. In names `*` stands for any text and `?` for any character. */
export interface UsageQuery {
  /** First and last day. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** The name of a key, or what it is counted under. */
  readonly key: string | undefined;
  readonly model: string | undefined;
  readonly backend: string | undefined;
  /** What the rows of the answer differ in; the rest is added up. */
  readonly groupBy: readonly UsageDimension[];
}

/** A line of the answer: the dimensions it is grouped by, and what they come to. */
export interface UsageLine extends UsageCounts {
  readonly day?: string;
  readonly keyId?: string;
  readonly key?: string;
  readonly model?: string;
  readonly backend?: string;
  /** null when nothing in it has a price. */
  readonly cost: number | null;
}

export interface UsageReport {
  readonly groupBy: readonly UsageDimension[];
  readonly lines: readonly UsageLine[];
  readonly totals: UsageLine;
  /** undefined when there are no prices. */
  readonly currency: string | undefined;
}

/** What a million tokens cost. */
export interface Price {
  readonly input: number;
  /** Of the input that came from a cache; undefined: as any input. */
  readonly cached?: number | undefined;
  readonly output: number;
}

/** The first pattern that a model, or `backend/model`, fits counts. */
export interface Prices {
  readonly currency: string;
  readonly models: Readonly<Record<string, Price>>;
}

/** Of all processes together, up to now. */
export type ReportUsage = (query: UsageQuery) => Promise<UsageReport>;
