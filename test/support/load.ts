/** Requests at an even pace, as a fleet of clients sends them; and what came of their times. */

/** Sends `count` requests, `perSecond` of them each second whether or not earlier ones are over. */
export async function atPace<T>(
  perSecond: number,
  count: number,
  send: (index: number) => Promise<T>,
): Promise<T[]> {
  const startedMs = performance.now();
  const answers: Promise<T>[] = [];
  for (let i = 0; i < count; i++) {
    await sleep(startedMs + (i * 1000) / perSecond - performance.now());
    answers.push(send(i));
  }
  return Promise.all(answers);
}

/** The value that this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, ms));
  });
}

/** The same numbers in [0, 1) for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
