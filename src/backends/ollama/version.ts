/** Which version of Ollama a server is. */

/** Development builds call themselves 0.0.0 and are newer than all; so is what tells nothing. */
export function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  if (Number.isNaN(parts[0]) || version.startsWith('0.0.0')) return true;
  for (const [i, least] of wanted.entries()) {
    const part = parts[i] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
