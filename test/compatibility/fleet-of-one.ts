/** A gateway with one backend of a kind, and a client that asks it. */

import { KINDS, type KindName } from '../../src/core/fleet.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Script, ScriptedBackend } from '../support/scripted-backend.ts';
import type { Setup } from '../support/setup.ts';

/** What Ollama says a model can do. */
const CAPABILITIES = ['completion', 'tools', 'vision', 'thinking', 'insert', 'embedding'];

export const OPENAI_KINDS = KINDS.filter((kind) => kind !== 'ollama');

export interface Asking {
  readonly backend: ScriptedBackend;
  /** The origin of the gateway. */
  readonly url: string;
  post(path: string, body: JsonObject): Promise<Answer>;
  chat(body: JsonObject): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  /** Whatever JSON came. */
  readonly body: JsonObject;
  readonly ignored: string | null;
}

/** `settings`: more of gateway.yaml. The backend is called `b`. */
export async function inFrontOf(
  setup: Setup,
  kind: KindName,
  script: Script,
  settings = '',
): Promise<Asking> {
  const backend = await setup.backend(script, { capabilities: CAPABILITIES });
  const { url } = await setup.gateway({
    file: `backends: [{ name: b, kind: ${kind}, url: "${backend.url}" }]\n${settings}`,
  });
  async function post(path: string, body: JsonObject): Promise<Answer> {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return {
      status: response.status,
      body: (await response.json()) as JsonObject,
      ignored: response.headers.get('x-gateway-ignored-params'),
    };
  }
  return {
    backend,
    url,
    post,
    chat: (body) =>
      post('/v1/chat/completions', {
        model: 'm',
        messages: [{ role: 'user', content: 'What is the weather in Oslo?' }],
        ...body,
      }),
  };
}
