/** The gateway that docs/clients/README.md configures for one Ollama, in front of a scripted one with all its APIs. */

import { startGateway } from '../support/gateway.ts';
import { startScriptedBackend, type Script, type ScriptedCall } from '../support/scripted-backend.ts';
import { weatherModel } from '../e2e/clients/scripted-model.ts';
import { servingAgents } from './agents.ts';
import { fencesOf } from './page.ts';

/** Its only key. */
export const KEY = 'sk-test-0123456789abcdef0123456789abcdef';
export const MODELS = ['qwen3-coder', 'qwen2.5-coder', 'nomic-embed-text'];

export interface PagesGateway {
  readonly url: string;
  /** Requests for answers that came to the backend. */
  readonly calls: readonly ScriptedCall[];
  lastCall(): ScriptedCall;
  /** An address of a page, as seen from the program, at this gateway. */
  here(url: string): string;
  /** POST with the key, to an address of a page. */
  send(url: string, body: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  close(): Promise<void>;
}

/** A file of a page in docs/clients/. Throws when the page has none of that name. */
export function blockOf(page: string, name: string): string {
  const block = fencesOf(`clients/${page}.md`).find((fence) => fence.name === name);
  if (!block) throw new Error(`docs/clients/${page}.md has no ${name}`);
  return block.text;
}

export async function startPagesGateway(): Promise<PagesGateway> {
  const backend = await startScriptedBackend(servingAgents(ollama), {
    models: MODELS,
    capabilities: ['completion', 'tools', 'insert', 'embedding'],
  });
  const file = blockOf('README', 'gateway.yaml').replaceAll('http://localhost:11434', backend.url);
  const gateway = await startGateway({ file, env: { AUTH_KEY: KEY } });
  const here = (url: string): string =>
    url.replace(/^http:\/\/(localhost|host\.docker\.internal):3000/, gateway.url);
  return {
    url: gateway.url,
    calls: backend.calls,
    lastCall() {
      const call = backend.calls.at(-1);
      if (!call) throw new Error('nothing came to the backend');
      return call;
    },
    here,
    send: (url, body, headers = {}) =>
      fetch(here(url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
        body: JSON.stringify(body),
      }),
    async close() {
      await gateway.close();
      await backend.close();
    },
  };
}

/** The native API of Ollama. */
const ollama: Script = async (call) => {
  if (call.path === '/api/generate') {
    call.end(`${JSON.stringify({ model: 'm', response: 'return 42;', done: true, done_reason: 'stop' })}\n`);
  } else if (call.path === '/api/embed') {
    const inputs = call.body.input as string[];
    call.end(JSON.stringify({ model: 'm', embeddings: inputs.map(() => [0.6, 0.8]), prompt_eval_count: 2 }));
  } else {
    await weatherModel(call);
  }
};
