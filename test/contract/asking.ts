/** One question to a gateway with one backend: what was named, what was refused, and what the backend was asked. */

import type { JsonObject } from '../../src/core/json.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import type { Setup } from '../support/setup.ts';
import { tool } from './requests.ts';

export interface Outcome {
  readonly status: number;
  readonly ignored: string | null;
  readonly error: { readonly param: string; readonly code: string } | undefined;
  /** What the backend was asked. */
  readonly asked: JsonObject | undefined;
}

export interface Options {
  readonly headers?: Readonly<Record<string, string>>;
  readonly capabilities?: readonly string[];
  /** Of the model, as YAML. */
  readonly model?: string;
  readonly kind?: string;
}

export type Ask = (body: JsonObject | string, options?: Options) => Promise<Outcome>;

/** A body that is a text is sent as it is. */
export function createAsk(setup: Setup): Ask {
  return async (body, options = {}) => {
    const { headers = {}, capabilities = ['completion', 'tools', 'vision', 'thinking'] } = options;
    const { model = '{}', kind = 'ollama' } = options;
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(
      (call) => {
        calls.push(call);
        if ('format' in call.body) call.end(ollamaToken('{"name":"f","arguments":{}}') + ollamaDone());
        else void saying('x')(call);
      },
      { capabilities },
    );
    const gateway = await setup.gateway({
      file: `
  backends: [{ name: b, kind: ${kind}, url: "${backend.url}" }]
  models: { m: ${model} }`,
    });
    const response = await gateway.chat(
      {},
      {
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      },
    );
    const told = await response.text();
    return {
      status: response.status,
      ignored: response.headers.get('x-gateway-ignored-params'),
      error: response.ok ? undefined : (JSON.parse(told) as { error: Outcome['error'] }).error,
      asked: calls[0]?.body,
    };
  };
}

export const STRICT = { headers: { 'x-gateway-strict': 'true' } };
/** One of several tools must be called. */
export const FORCED = { tools: [tool('f'), tool('g')], tool_choice: 'required' };
