/** How long a server asks to be left alone. Pure: a date is measured by the server's own clock. */

/** Nobody waits longer, and a number of this size is still exact. */
const MAX_SECONDS = 86_400;

/**
 * Whole seconds, rounded up; undefined when the headers do not say. `retry-after` is a number of
 * seconds or a date (RFC 9110, section 10.2.3); OpenAI also sends `retry-after-ms`, which is finer
 * and wins. Names in lower case.
 */
export function toRetryAfterSeconds(headers: Readonly<Record<string, string>>): number | undefined {
  const ms = toNumber(headers['retry-after-ms']);
  if (ms !== undefined) return atMost(ms / 1000);
  const text = headers['retry-after'];
  const seconds = toNumber(text);
  if (seconds !== undefined) return atMost(seconds);
  const apartMs = Date.parse(text ?? '') - Date.parse(headers.date ?? '');
  return Number.isNaN(apartMs) ? undefined : atMost(Math.max(0, apartMs / 1000));
}

function toNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}

function atMost(seconds: number): number {
  return Math.min(MAX_SECONDS, Math.ceil(seconds));
}
