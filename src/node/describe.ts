/** Asks an Ollama server for a model that no probe has listed yet, and keeps the answer for a while. */

import type { Now } from '../core/exchange.ts';
import type { Backend, Describe, UpstreamModel } from '../core/fleet.ts';
import type { Send } from '../core/upstream.ts';
import { createOllamaClient, showModel } from './ollama-model.ts';

/** A probe lists it by then, if it is there to stay. */
const KNOWN_MS = 60_000;
/** So soon after a pull it may be there. */
const UNKNOWN_MS = 5000;
const MAX_ENTRIES = 1000;
/** Longer ones are no names. */
const MAX_NAME_LENGTH = 512;

interface Entry {
  readonly model: Promise<UpstreamModel | undefined>;
  untilMs: number;
}

/** `timeout`: a signal that aborts when the answer has taken too long. */
export function createDescribe(send: Send, timeout: () => AbortSignal, now: Now): Describe {
  /** By backend and name, oldest first. */
  const entries = new Map<string, Entry>();

  async function ask(backend: Backend, name: string): Promise<UpstreamModel | undefined> {
    const shown = await showModel(await createOllamaClient(send, backend, timeout()), name);
    return shown && { name, created: 0, ownedBy: '', digest: '', ...shown };
  }

  function remember(key: string, model: Entry['model']): void {
    const entry: Entry = { model, untilMs: now() + UNKNOWN_MS };
    void model.then((known) => {
      if (known) entry.untilMs = now() + KNOWN_MS;
    });
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= MAX_ENTRIES) return;
      entries.delete(oldest);
    }
  }

  return (backend, name) => {
    if (backend.kind !== 'ollama' || name.length > MAX_NAME_LENGTH) return Promise.resolve(undefined);
    const key = `${backend.name}\n${backend.url}\n${name}`;
    const known = entries.get(key);
    if (known && known.untilMs > now()) return known.model;
    const model = ask(backend, name);
    remember(key, model);
    return model;
  };
}
