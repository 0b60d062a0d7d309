/** For how long counters run. Days and months are those of UTC. */

const MINUTE_MS = 60_000;

export type Period = 'minute' | 'day' | 'month';

/** A counter of one period. */
export interface Counter {
  readonly key: string;
  readonly windowMs: number;
}

/** `nowMs`: since 1970. The counter of a minute begins with its first charge, those of a budget with the calendar. */
export function counterOf(key: string, period: Period, nowMs: number): Counter {
  if (period === 'minute') return { key, windowMs: MINUTE_MS };
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const endMs = period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
  const name = now.toISOString().slice(0, period === 'day' ? 'yyyy-mm-dd'.length : 'yyyy-mm'.length);
  return { key: `${key}:${name}`, windowMs: endMs - nowMs };
}
