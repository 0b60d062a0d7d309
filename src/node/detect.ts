/** Looks for model servers on this machine, for when nothing is configured. */

import type { Backend, BackendAddress, Discover } from '../core/fleet.ts';

/** The ports on which these servers listen when nobody told them otherwise. */
export const LOCAL_CANDIDATES: readonly BackendAddress[] = [
  { name: 'ollama', kind: 'ollama', url: 'http://localhost:11434' },
  { name: 'vllm', kind: 'vllm', url: 'http://localhost:8000/v1' },
  { name: 'lmstudio', kind: 'lmstudio', url: 'http://localhost:1234/v1' },
  { name: 'llamacpp', kind: 'llamacpp', url: 'http://localhost:8080/v1' },
];

/** On the same machine an answer takes a few milliseconds; nobody should wait for those who are not there. */
const ANSWER_MS = 1000;

/** Those that answer as their kind would. */
export async function detectBackends(candidates: readonly Backend[], discover: Discover): Promise<Backend[]> {
  const answers = await Promise.all(
    candidates.map((backend) =>
      discover(backend, AbortSignal.timeout(ANSWER_MS)).then(
        () => [backend],
        () => [], // not there, or something else on that port
      ),
    ),
  );
  return answers.flat();
}
