/** Looks for model servers on this machine, for when nothing is configured. */

import type { Backend, BackendAddress, Discover } from '../core/fleet.ts';

/** The ports on which these servers listen when nobody told them otherwise. */
export const LOCAL_CANDIDATES: readonly BackendAddress[] = [
  { name: 'ollama', kind: 'ollama', url: 'http://localhost:11434' },
  { name: 'vllm', kind: 'vllm', url: 'http://localhost:8000/v1' },
  { name: 'lmstudio', kind: 'lmstudio', url: 'http://localhost:1234/v1' },
  { name: 'llamacpp', kind: 'llamacpp', url: 'http://localhost:8080/v1' },
];

/** Those that answer as their kind would, within `timeoutMs`. */
export async function detectBackends(
  candidates: readonly Backend[],
  discover: Discover,
  timeoutMs: number,
): Promise<Backend[]> {
  const answers = await Promise.all(
    candidates.map((backend) =>
      discover(backend, AbortSignal.timeout(timeoutMs)).then(
        () => [backend],
        () => [], // not there, or something else on that port
      ),
    ),
  );
  return answers.flat();
}
