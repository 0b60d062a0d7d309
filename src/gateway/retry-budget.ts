/** How many attempts beyond the first all exchanges together may make: a failing fleet is not to be stormed. */

import type { Now } from '../core/exchange.ts';

export interface RetryBudgetSettings {
  /** Of the requests of the last ten seconds, 0 to 1. */
  readonly ratio: number;
  /** In each second at least. */
  readonly minPerSecond: number;
}

export interface RetryBudget {
  /** A request begins. */
  request(): void;
  /** True, and counted, when one more attempt may be made. */
  take(): boolean;
  /** One that was taken could not be made: there was nobody left to ask. */
  giveBack(): void;
}

interface Second {
  readonly index: number;
  requests: number;
  retries: number;
}

const WINDOW_SECONDS = 10;

export function createRetryBudget(settings: () => RetryBudgetSettings, now: Now): RetryBudget {
  /** The last seconds in which anything happened, oldest first. */
  let seconds: Second[] = [];

  function current(): Second {
    const index = Math.floor(now() / 1000);
    const last = seconds.at(-1);
    if (last && last.index >= index) return last;
    const second = { index, requests: 0, retries: 0 };
    seconds = [...seconds.filter((each) => each.index > index - WINDOW_SECONDS), second];
    return second;
  }

  return {
    request() {
      current().requests++;
    },
    take() {
      const { ratio, minPerSecond } = settings();
      const second = current();
      const requests = seconds.reduce((sum, each) => sum + each.requests, 0);
      const retries = seconds.reduce((sum, each) => sum + each.retries, 0);
      if (second.retries >= minPerSecond && retries >= requests * ratio) return false;
      second.retries++;
      return true;
    },
    giveBack() {
      const second = current();
      if (second.retries > 0) second.retries--;
    },
  };
}
