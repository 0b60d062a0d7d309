/** A script that answers whatever a surface may ask, in the number of answers that was asked for. */

import {
  ollamaDone,
  ollamaToken,
  openaiChunk,
  sse,
  type Script,
  type ScriptedCall,
} from './scripted-backend.ts';

const USAGE = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

export const answering: Script = (call) => {
  const { path, res } = call;
  const write = ANSWERS[path];
  if (write) res.end(write(call));
  else res.setHeader('content-type', 'application/json').end('{}');
};

const ANSWERS: Readonly<Record<string, (call: ScriptedCall) => string>> = {
  '/api/chat': () => ollamaToken('x') + ollamaDone(),
  '/api/generate': () =>
    `${JSON.stringify({ model: 'm', response: 'x', done: true, done_reason: 'stop', eval_count: 1 })}\n`,
  '/api/embed': ({ body }) => JSON.stringify({ embeddings: listOf(body.input).map(() => [0.5, 1]) }),
  '/v1/chat/completions': ({ body, res }) => {
    const indexes = Array.from({ length: numberOf(body.n) }, (_, index) => index);
    if (body.stream !== true) {
      const message = { role: 'assistant', content: 'x' };
      const choices = indexes.map((index) => ({ index, message, finish_reason: 'stop' }));
      return JSON.stringify({
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices,
        usage: USAGE,
      });
    }
    res.setHeader('content-type', 'text/event-stream');
    const events = indexes.map((index) =>
      openaiChunk({}, null, { choices: [{ index, delta: { content: 'x' }, finish_reason: 'stop' }] }),
    );
    return events.join('') + sse('[DONE]');
  },
  '/v1/completions': ({ body, res }) => {
    const prompts = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'number' ? body.prompt.length : 1;
    const choices = Array.from({ length: prompts * numberOf(body.n) }, (_, index) => ({
      index,
      text: 'x',
      finish_reason: 'stop',
    }));
    const answer = { id: 'c', object: 'text_completion', created: 1, model: 'm', choices, usage: USAGE };
    if (body.stream !== true) return JSON.stringify(answer);
    res.setHeader('content-type', 'text/event-stream');
    return sse(answer) + sse('[DONE]');
  },
  '/v1/embeddings': ({ body }) =>
    JSON.stringify({
      object: 'list',
      model: 'm',
      data: listOf(body.input).map((_, index) => ({ object: 'embedding', index, embedding: [0.5, 1] })),
      usage: { prompt_tokens: 1, total_tokens: 1 },
    }),
};

const numberOf = (n: unknown): number => (typeof n === 'number' ? n : 1);

/** An array of numbers is one text. */
function listOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
}
