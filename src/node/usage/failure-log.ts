/** Tells the operator once that usage cannot be kept, and once that it is again. */

import type { Logger } from '../../core/exchange.ts';

export interface FailureLog {
  /** undefined: it went well. */
  note(error: unknown): void;
}

/** `place`: where usage is kept. */
export function createFailureLog(logger: Logger, place: string): FailureLog {
  let isFailing = false;
  return {
    note(error) {
      const wasFailing = isFailing;
      isFailing = error !== undefined;
      if (isFailing && !wasFailing) {
        logger.warn('usage cannot be kept: counts stay in memory', { place, error });
      } else if (wasFailing && !isFailing) {
        logger.info('usage is kept again', { place });
      }
    },
  };
}
