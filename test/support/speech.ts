/** What backends say, in the format of either kind: one test for both. */

import { ollamaDone, ollamaToken, openaiChunk, sse, type ScriptedCall } from './scripted-backend.ts';

export interface Speech {
  readonly kind: 'ollama' | 'vllm';
  /** Configures a backend of this kind. */
  readonly variable: 'OLLAMA_BASE_URL' | 'VLLM_BASE_URL';
  token(text: string): string;
  /** All that follows the last token. */
  done(): string;
  /** An error where the answer, or its next token, was due. */
  error(call: ScriptedCall, message: string): string;
  /** How the answer to this call begins: a token, or the first half of a body in one piece. */
  beginning(call: ScriptedCall, text: string): string;
}

export const OLLAMA: Speech = {
  kind: 'ollama',
  variable: 'OLLAMA_BASE_URL',
  token: (text) => ollamaToken(text),
  done: () => ollamaDone(),
  error: (_call, message) => `${JSON.stringify({ error: message })}\n`,
  beginning: (_call, text) => ollamaToken(text),
};

export const VLLM: Speech = {
  kind: 'vllm',
  variable: 'VLLM_BASE_URL',
  token: (text) => openaiChunk({ content: text }),
  done: () => openaiChunk({}, 'stop') + sse('[DONE]'),
  error({ body }, message) {
    const said = { error: { message, type: 'InternalServerError', param: null, code: 500 } };
    return body.stream === true ? sse(said) : JSON.stringify(said);
  },
  beginning: ({ body }, text) =>
    body.stream === true
      ? openaiChunk({ content: text })
      : `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"${text}`,
};

/** For `describe.each`: the name of the kind comes first. */
export const SPEECHES = [
  ['Ollama', OLLAMA],
  ['vLLM', VLLM],
] as const;

/** The first one is preferred as long as it is well. */
export function preferring({ kind }: Speech, first: string, second: string, more = ''): string {
  return `
${more}
backends:
  - { name: first, kind: ${kind}, url: "${first}", weight: 1000 }
  - { name: second, kind: ${kind}, url: "${second}", weight: 0.001 }`;
}
