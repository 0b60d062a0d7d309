/** Requests for chat completions, judged by the schema of openapi.yaml and by the gateway. */

import { afterAll, beforeAll } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { saying, startScriptedBackend, type ScriptedBackend } from '../support/scripted-backend.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { expectAnswer, expectStream } from './answers.ts';
import { component, faultsOf } from './schemas.ts';

const CHAT = 'POST /v1/chat/completions';

export interface Verdict {
  /** 0 for a stream that broke off. */
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;
}

export interface Judges {
  /** True when the schema allows the body. */
  schemaAllows(body: unknown): boolean;
  /** What the gateway answers; an accepted request has status 200 and neither param nor code. */
  ask(body: unknown): Promise<Verdict>;
  /** The same for JSON that JavaScript cannot print. */
  askText(json: string): Promise<Verdict>;
}

/** One gateway for all tests of a file; a backend that speaks OpenAI's format takes all that it has. */
export function createJudges(variable: 'VLLM_BASE_URL' | 'OLLAMA_BASE_URL' = 'VLLM_BASE_URL'): Judges {
  let backend: ScriptedBackend;
  let gateway: TestGateway;
  beforeAll(async () => {
    backend = await startScriptedBackend(saying('ok'));
    gateway = await startGateway({ env: { [variable]: backend.url, MAX_CHOICES: '128' } });
  });
  afterAll(async () => {
    await gateway.close();
    await backend.close();
  });

  async function askText(json: string): Promise<Verdict> {
    const response = await gateway.chat({}, { body: json });
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const { isDone } = await expectStream(CHAT, response);
      return { status: isDone ? response.status : 0, param: null, code: null };
    }
    const answer = await expectAnswer(CHAT, response);
    const { error } = answer.body as { error?: Verdict };
    return { status: answer.status, param: error?.param ?? null, code: error?.code ?? null };
  }

  return {
    schemaAllows: (body) => faultsOf(component('ChatCompletionRequest'), body).length === 0,
    ask: (body) => askText(JSON.stringify(body)),
    askText,
  };
}

/** A plain request with other members; undefined leaves a member out. */
export function request(members: JsonObject = {}): JsonObject {
  const body: JsonObject = { model: 'm', messages: [{ role: 'user', content: 'hi' }], ...members };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

export function message(members: JsonObject): JsonObject {
  return request({ messages: [members] });
}

export function tool(name: string): JsonObject {
  return { type: 'function', function: { name } };
}

/** An assistant message that calls `f` by the id `c1`. */
export const callingMessage: JsonObject = {
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
};
