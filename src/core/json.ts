/** Looking at parsed JSON of unknown shape. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A name that is one of `names` but for the case of its letters. Readers written in Go take both for the same,
 * and would read another request than was checked.
 */
export function misspeltName(body: JsonObject, names: object): string | undefined {
  return Object.keys(body).find((name) => {
    const lower = name.toLowerCase();
    return lower !== name && Object.hasOwn(names, lower);
  });
}

/** undefined when the text is not JSON. (JSON itself has no undefined.) */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
