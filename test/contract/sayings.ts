/** What a model says, in the words of Ollama and of vLLM: the same sayings through both, nulls and odd keys included. */

import { sse, type Script } from '../support/scripted-backend.ts';

export interface Saying {
  readonly thinking?: readonly string[];
  readonly text?: readonly string[];
  readonly calls?: readonly { readonly name: string; readonly arguments: object }[];
  readonly isCut?: boolean;
}

const PROMPT_TOKENS = 9;
const ANSWER_TOKENS = 7;

/** Answers a request in the form that its path and its `stream` ask for. */
export function saysAs(saying: Saying): Script {
  return async ({ path, body, res, write, end }) => {
    const pieces =
      path === '/api/chat'
        ? ollamaLines(saying)
        : body.stream === true
          ? vllmEvents(saying)
          : [vllmBody(saying)];
    for (const piece of pieces) await write(piece);
    end();
    await new Promise((resolve) => res.once('close', resolve));
  };
}

/** As Ollama 0.33 prints them. */
export function ollamaLines({ thinking = [], text = [], calls = [], isCut = false }: Saying): string[] {
  const record = (message: object, more: object = { done: false }): string =>
    `${JSON.stringify({ model: 'm', created_at: '2026-08-21T10:00:00.123456789Z', message: { role: 'assistant', content: '', ...message }, ...more })}\n`;
  return [
    ...thinking.map((piece) => record({ thinking: piece })),
    ...text.map((piece) => record({ content: piece })),
    ...calls.map((call, index) =>
      record({ tool_calls: [{ id: `call_${String(index)}`, function: { index, ...call } }] }),
    ),
    record(
      {},
      {
        done: true,
        done_reason: isCut ? 'length' : 'stop',
        total_duration: 1_000_000,
        prompt_eval_count: PROMPT_TOKENS,
        eval_count: ANSWER_TOKENS,
      },
    ),
  ];
}

/** One event as vLLM 0.10 and later print it: keys that OpenAI does not have, and nulls where it has no null. */
export function vllmChunk(delta: object, more: object = {}): string {
  return sse({
    id: 'chatcmpl-5bd1a2',
    object: 'chat.completion.chunk',
    created: 1_755_770_400,
    model: '/models/upstream',
    system_fingerprint: null,
    service_tier: null,
    prompt_token_ids: null,
    kv_transfer_params: null,
    choices: [
      {
        index: 0,
        delta: { tool_calls: [], reasoning_content: null, refusal: null, annotations: null, ...delta },
        logprobs: null,
        finish_reason: null,
        stop_reason: null,
        token_ids: null,
        ...more,
      },
    ],
    usage: null,
  });
}

const VLLM_USAGE = {
  prompt_tokens: PROMPT_TOKENS,
  total_tokens: PROMPT_TOKENS + ANSWER_TOKENS,
  completion_tokens: ANSWER_TOKENS,
  prompt_tokens_details: null,
  completion_tokens_details: null,
};

export function vllmEvents(saying: Saying): string[] {
  const { thinking = [], text = [], calls = [] } = saying;
  return [
    vllmChunk({ role: 'assistant', content: '' }),
    ...thinking.map((piece) => vllmChunk({ reasoning_content: piece })),
    ...text.map((piece) => vllmChunk({ content: piece, role: 'assistant' })),
    ...calls.flatMap((call, index) => [
      // The name comes without arguments, which then come in pieces without id and type.
      vllmChunk({
        tool_calls: [
          { index, id: `chatcmpl-tool-${String(index)}`, type: 'function', function: { name: call.name } },
        ],
      }),
      ...halves(JSON.stringify(call.arguments)).map((piece) =>
        vllmChunk({
          tool_calls: [{ index, id: null, type: null, function: { name: null, arguments: piece } }],
        }),
      ),
    ]),
    vllmChunk({ content: '' }, { finish_reason: finishOf(saying), stop_reason: 151_645 }),
    sse({
      id: 'chatcmpl-5bd1a2',
      object: 'chat.completion.chunk',
      created: 1_755_770_400,
      model: '/models/upstream',
      system_fingerprint: null,
      choices: [],
      usage: VLLM_USAGE,
    }),
    sse('[DONE]'),
  ];
}

function vllmBody(saying: Saying): string {
  const { thinking, text = [], calls = [] } = saying;
  return JSON.stringify({
    id: 'chatcmpl-5bd1a2',
    object: 'chat.completion',
    created: 1_755_770_400,
    model: '/models/upstream',
    system_fingerprint: null,
    service_tier: null,
    prompt_logprobs: null,
    prompt_token_ids: null,
    kv_transfer_params: null,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text.length > 0 ? text.join('') : null,
          refusal: null,
          annotations: null,
          audio: null,
          function_call: null,
          reasoning_content: thinking?.join('') ?? null,
          tool_calls: calls.map((call, index) => ({
            id: `chatcmpl-tool-${String(index)}`,
            type: 'function',
            function: { name: call.name, arguments: JSON.stringify(call.arguments) },
          })),
        },
        logprobs: null,
        finish_reason: finishOf(saying),
        stop_reason: 151_645,
        token_ids: null,
      },
    ],
    usage: VLLM_USAGE,
  });
}

function finishOf({ calls = [], isCut = false }: Saying): string {
  return isCut ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop';
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
