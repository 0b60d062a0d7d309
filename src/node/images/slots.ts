/** So many at a time; the others wait in line. */

export interface Slots {
  /**
   * Resolves when it is one's turn, with what gives the turn back: to be called once. Rejects with the
   * signal's reason when that aborts in the line.
   */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createSlots(limit: () => number): Slots {
  let taken = 0;
  const line = new Set<() => void>();

  function wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      function go(): void {
        leave();
        taken++;
        resolve();
      }
      function onAbort(): void {
        leave();
        reject(signal.reason as Error);
      }
      function leave(): void {
        line.delete(go);
        signal.removeEventListener('abort', onAbort);
      }
      line.add(go);
      signal.addEventListener('abort', onAbort);
    });
  }

  function release(): void {
    taken--;
    for (const go of line) {
      if (taken >= limit()) break;
      go();
    }
  }

  return {
    async take(signal) {
      signal.throwIfAborted();
      if (taken < limit() && line.size === 0) taken++;
      else await wait(signal);
      return release;
    },
  };
}
