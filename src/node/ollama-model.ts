/** Ollama's own client, and what a server tells of a model: what it can do, and what it is told and stopped by. */

import type { Ollama, ShowResponse } from 'ollama/browser';
import type { Backend, UpstreamModel } from '../core/fleet.ts';
import type { Send } from '../core/upstream.ts';
import { createUpstreamFetch } from './upstream-fetch.ts';

/** Goes through the gateway's own connections. */
export async function createOllamaClient(send: Send, backend: Backend, signal: AbortSignal): Promise<Ollama> {
  // Loaded when there is an Ollama to talk to.
  const { Ollama } = await import('ollama/browser');
  return new Ollama({ host: 'http://backend.invalid', fetch: createUpstreamFetch(send, backend, signal) });
}

/** undefined when the server would not say, or has no such model. */
export async function showModel(client: Ollama, model: string): Promise<Partial<UpstreamModel> | undefined> {
  let answer: Partial<ShowResponse>;
  try {
    answer = await client.show({ model });
  } catch {
    return undefined;
  }
  const { capabilities, details, parameters, system } = answer;
  return {
    ...(capabilities && { capabilities }),
    ...(details?.family && { family: details.family }),
    stops: stopsOf(parameters ?? ''),
    ...(system && { system }),
    ...('remote_model' in answer && answer.remote_model ? { isRemote: true } : {}),
  };
}

/** `parameters` has a line for each: `stop                           "<|eot_id|>"`. */
export function stopsOf(parameters: string): string[] {
  return parameters.split('\n').flatMap((line) => {
    const text = /^stop\s/.test(line) ? line.slice('stop'.length).trim() : '';
    if (text === '') return [];
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === 'string' ? value : text;
    } catch {
      return text;
    }
  });
}
