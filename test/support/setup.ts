/** Starts things for one test and closes them after it, in reverse order. */

import { afterEach } from '@jest/globals';
import { startGateway, type GatewayOptions, type TestGateway } from './gateway.ts';
import {
  startScriptedBackend,
  type Script,
  type ScriptedBackend,
  type ScriptedOptions,
} from './scripted-backend.ts';

export interface Setup {
  backend(script: Script, options?: ScriptedOptions): Promise<ScriptedBackend>;
  gateway(options: GatewayOptions): Promise<TestGateway>;
}

export function createSetup(): Setup {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  return {
    async backend(script, options) {
      const backend = await startScriptedBackend(script, options);
      closers.push(backend.close);
      return backend;
    },
    async gateway(options) {
      const gateway = await startGateway(options);
      closers.push(gateway.close);
      return gateway;
    },
  };
}

/** Every kind of stream that a backend may speak, by the variable that configures it. */
export const KINDS_OF_STREAM = [
  ['Ollama', 'OLLAMA_BASE_URL'],
  ['vLLM', 'VLLM_BASE_URL'],
] as const;

/** Resolves when `check` holds; looks after each turn of the event loop. Jest's limit ends it. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) {
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
