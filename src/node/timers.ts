/** Work that is done again and again, until all of it ends. */

export interface Timers {
  /** The interval is looked up anew when the work is over: it may be a setting. */
  every(intervalMs: () => number, work: () => Promise<void>): void;
  /** At fixed times. */
  tick(intervalMs: number, work: () => void): void;
  /** What is under way ends, and nothing begins any more. */
  stop(): void;
}

export function createTimers(): Timers {
  const timers: NodeJS.Timeout[] = [];
  let isStopped = false;

  return {
    every(intervalMs, work) {
      const slot = timers.length;
      const next = (): void => {
        if (isStopped) return;
        timers[slot] = setTimeout(() => void work().finally(next), intervalMs());
      };
      next();
    },
    tick(intervalMs, work) {
      timers.push(setInterval(work, intervalMs));
    },
    stop() {
      isStopped = true;
      timers.forEach(clearTimeout);
    },
  };
}
