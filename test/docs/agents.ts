/** A server with the APIs of Codex and Claude Code, and what these programs send to it, as it was recorded. */

import type { Script } from '../support/scripted-backend.ts';

/** One turn of Codex 0.169.0, below its base URL, but for the length of its texts. */
export const CODEX_TURN = {
  path: '/responses',
  headers: {
    accept: 'text/event-stream',
    'x-client-request-id': '01a21451-d9ce-7f31-9fba-ff05a072c26f',
    'session-id': '01a21451-d9ce-7f31-9fba-ff05a072c26f',
    'x-codex-window-id': '01a21451-d9ce-7f31-9fba-ff05a072c26f:0',
    originator: 'codex_exec',
    'user-agent': 'codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.169.0)',
  },
  body: {
    stream: true,
    input: [
      {
        type: 'message',
        role: 'developer',
        content: [{ type: 'input_text', text: 'You are a coding agent.' }],
      },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'List the files' }] },
    ],
    tools: [
      {
        type: 'function',
        name: 'exec_command',
        strict: false,
        parameters: { type: 'object', properties: { cmd: { type: 'string' } }, required: ['cmd'] },
      },
    ],
    tool_choice: 'auto',
    parallel_tool_calls: true,
    reasoning: { summary: 'auto' },
    store: false,
    include: ['reasoning.encrypted_content'],
    prompt_cache_key: '01a21451-d9ce-7f31-9fba-ff05a072c26f',
    client_metadata: { session_id: '01a21451-d9ce-7f31-9fba-ff05a072c26f' },
  },
};

/** One turn of Claude Code 2.1.197, below its base URL, but for the length of its texts. */
export const CLAUDE_TURN = {
  path: '/v1/messages?beta=true',
  headers: {
    accept: 'application/json',
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
    'anthropic-dangerous-direct-browser-access': 'true',
    'x-app': 'cli',
    'x-stainless-lang': 'js',
    'user-agent': 'claude-cli/2.1.197 (external, sdk-cli)',
  },
  body: {
    messages: [{ role: 'user', content: [{ type: 'text', text: 'List the files' }] }],
    system: [{ type: 'text', text: 'You are a Claude agent.', cache_control: { type: 'ephemeral' } }],
    tools: [
      {
        name: 'Agent',
        description: 'Launch a new agent.',
        input_schema: {
          type: 'object',
          properties: { prompt: { type: 'string' }, model: { type: 'string', enum: ['sonnet', 'opus'] } },
        },
      },
    ],
    metadata: { user_id: '{"device_id":"af24e3ed","session_id":"735a7951"}' },
    max_tokens: 32000,
    thinking: { type: 'adaptive' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    output_config: { effort: 'high' },
    stream: true,
  },
};

/** What the server streams of a turn that calls a tool; to be the same for the client. */
export const STREAMS: Readonly<Record<string, string>> = {
  [`/v1${CODEX_TURN.path}`]: events(
    { type: 'response.created', sequence_number: 0, response: { id: 'resp_1', status: 'in_progress' } },
    {
      type: 'response.output_item.done',
      sequence_number: 1,
      output_index: 0,
      item: { type: 'function_call', call_id: 'call_1', name: 'exec_command', arguments: '{"cmd":"ls"}' },
    },
    { type: 'response.completed', sequence_number: 2, response: { id: 'resp_1', status: 'completed' } },
  ),
  [CLAUDE_TURN.path]: events(
    { type: 'message_start', message: { id: 'msg_1', role: 'assistant', content: [] } },
    {
      type: 'content_block_start',
      index: 0,
      content_block: { type: 'tool_use', id: 'toolu_1', name: 'Agent', input: {} },
    },
    {
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'input_json_delta', partial_json: '{"prompt":' },
    },
    { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '"ls"}' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } },
    { type: 'message_stop' },
  ),
};

/** Answers the paths of both, and leaves the others to `otherwise`. */
export function servingAgents(otherwise: Script): Script {
  return (call) => {
    const stream = STREAMS[call.path];
    if (stream !== undefined) {
      call.res.setHeader('content-type', 'text/event-stream').end(stream);
    } else if (call.path.startsWith('/v1/messages/count_tokens')) {
      call.res.setHeader('content-type', 'application/json').end('{"input_tokens":42}');
    } else {
      return otherwise(call);
    }
  };
}

function events(
  ...payloads: readonly { readonly type: string; readonly [member: string]: unknown }[]
): string {
  return payloads.map((each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`).join('');
}
