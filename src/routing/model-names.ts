/** When two names mean one model, or one backend. */

import type { BackendStatus, UpstreamModel } from '../core/fleet.ts';

/** What the backend lists under the name, or under another spelling of it. */
export function findModel(status: BackendStatus, name: string): UpstreamModel | undefined {
  const models = status.discovery?.models;
  const exact = models?.get(name) ?? models?.get(`${name}:latest`);
  if (exact || !models || status.backend.kind !== 'ollama') return exact;
  return Array.from(models.values()).find((model) => isSameModel(status, model.name, name));
}

/** Ollama's default tag may be left out, and its names are the same in any case. */
export function isSameModel({ backend }: BackendStatus, one: string, other: string): boolean {
  if (one === other || `${one}:latest` === other || one === `${other}:latest`) return true;
  return backend.kind === 'ollama' && untagged(one) === untagged(other);
}

function untagged(name: string): string {
  return name.toLowerCase().replace(/:latest$/, '');
}

/** By its own name, or by that of the configured one behind which it was found. */
export function isCalled({ backend }: BackendStatus, name: string): boolean {
  return backend.name === name || backend.group === name;
}
