/** Errors of backends before an answer, in every form of the field: always OpenAI's four keys, never a number. */

import { describe, expect, it } from '@jest/globals';
import { failing } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { expectAnswer } from './answers.ts';

const setup = createSetup();
const CHAT = 'POST /v1/chat/completions';

/** What the backend answers, and status, code and param of what the client gets. */
interface Case {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly gets: readonly [number, string | null, string | null];
}

const VLLM: Readonly<Record<string, Case>> = {
  'a code that is a number': {
    status: 400,
    body: { error: { message: 'bad', type: 'BadRequestError', param: null, code: 400 } },
    gets: [400, null, null],
  },
  'the older form without a nested error': {
    status: 400,
    body: { object: 'error', message: 'bad', type: 'BadRequestError', param: 'temperature', code: 400 },
    gets: [400, null, 'temperature'],
  },
  'a prompt that does not fit': {
    status: 400,
    body: {
      error: {
        message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
    gets: [400, 'context_length_exceeded', 'messages'],
  },
  'a complaint of FastAPI': {
    status: 422,
    body: { detail: [{ loc: ['body', 'messages'], msg: 'field required' }] },
    gets: [400, null, null],
  },
  'a text for an error': { status: 400, body: { error: 'bad' }, gets: [400, null, null] },
  'wrong types in every key': {
    status: 400,
    body: { error: { message: 7, type: null, param: ['x'], code: { a: 1 } } },
    gets: [400, null, null],
  },
  'an unknown model': {
    status: 404,
    body: { error: { message: 'nope', type: 'NotFoundError', param: 'model', code: 404 } },
    gets: [404, 'model_not_found', null],
  },
  'a page that is no API': {
    status: 404,
    body: '<html>nginx</html>',
    gets: [502, 'upstream_invalid_response', null],
  },
  'that it has no such path': {
    status: 404,
    body: { detail: 'Not Found' },
    gets: [502, 'upstream_invalid_response', null],
  },
  'that its path has no such method': {
    status: 405,
    body: { detail: 'Method Not Allowed' },
    gets: [502, 'upstream_invalid_response', null],
  },
  'that it gave the request up': {
    status: 408,
    body: { error: { message: 'too slow' } },
    gets: [504, 'upstream_timeout', null],
  },
  'a redirect': { status: 302, body: '', gets: [502, 'upstream_invalid_response', null] },
  'a refused key': {
    status: 401,
    body: { error: { message: 'wrong key sk-123', type: 'x', code: 'invalid_api_key' } },
    gets: [502, 'upstream_unauthorized', null],
  },
  'a refused request': { status: 403, body: {}, gets: [502, 'upstream_forbidden', null] },
  'a limited rate': {
    status: 429,
    body: { error: { message: 'slow down', type: 'tokens', code: 'rate_limit_exceeded' } },
    headers: { 'retry-after': '7' },
    gets: [429, 'rate_limit_exceeded', null],
  },
  'a spent quota': {
    status: 429,
    body: { error: { message: 'spent', type: 'insufficient_quota', code: 'insufficient_quota' } },
    gets: [502, 'upstream_error', null],
  },
  'a crash with an address in it': {
    status: 500,
    body: { error: { message: 'http://10.0.0.7:8000/x failed', type: 'InternalServerError', code: 500 } },
    gets: [502, 'upstream_error', null],
  },
  'too much load': { status: 503, body: '', gets: [503, 'server_overloaded', null] },
  'an error under status 200': {
    status: 200,
    body: { error: { message: 'boom', type: 'InternalServerError', code: 500 } },
    gets: [502, 'upstream_error', null],
  },
};

const OLLAMA: Readonly<Record<string, Case>> = {
  'an unknown model': {
    status: 404,
    body: { error: "model 'm' not found" },
    gets: [404, 'model_not_found', null],
  },
  'a model without tools': {
    status: 400,
    body: { error: 'registry.ollama.ai/library/m does not support tools' },
    gets: [400, 'unsupported_parameter', 'tools'],
  },
  'a prompt that does not fit': {
    status: 400,
    body: {
      error: JSON.stringify({
        error: {
          code: 400,
          message: 'request (9 tokens) exceeds the available context size (4 tokens)',
          type: 'exceed_context_size_error',
          n_prompt_tokens: 9,
          n_ctx: 4,
        },
      }),
    },
    gets: [400, 'context_length_exceeded', 'messages'],
  },
  'too little memory': {
    status: 500,
    body: { error: 'model requires more system memory (9 GiB) than is available (4 GiB)' },
    gets: [502, 'upstream_error', null],
  },
  'a full queue': {
    status: 503,
    body: { error: 'server busy, please try again.  maximum pending requests exceeded' },
    gets: [503, 'server_overloaded', null],
  },
  'a plain text': { status: 404, body: '404 page not found', gets: [502, 'upstream_invalid_response', null] },
  'a refused key': {
    status: 401,
    body: { error: 'unauthorized' },
    gets: [502, 'upstream_unauthorized', null],
  },
  'an error record in place of an answer': {
    status: 200,
    body: '{"error":"llama runner process has terminated"}\n',
    gets: [502, 'upstream_error', null],
  },
};

describe.each([
  ['vLLM', 'VLLM_BASE_URL', VLLM],
  ['Ollama', 'OLLAMA_BASE_URL', OLLAMA],
])('%s answers', (_kind, variable, cases) => {
  it.each(
    Object.entries(cases).flatMap(([name, each]) => [
      [name, 'an answer in one piece', false, each] as const,
      [name, 'a stream', true, each] as const,
    ]),
  )('%s to the request of %s', async (_name, _form, stream, { status, body, headers = {}, gets }) => {
    const backend = await setup.backend(failing(status, body, headers));
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const answer = await expectAnswer(CHAT, await gateway.chat({ stream }));
    const { error } = answer.body as { error: { code: unknown; param: unknown; message: string } };
    expect([answer.status, error.code, error.param]).toEqual(gets);
    expect(error.message).not.toMatch(/10\.0\.0\.7|sk-123/);
    if (headers['retry-after']) expect(answer.headers.get('retry-after')).toBe(headers['retry-after']);
  });
});

it('says that another try is futile when the model is too large for the machine', async () => {
  const { status, body } = OLLAMA['too little memory'] ?? { status: 0, body: '' };
  const backend = await setup.backend(failing(status, body));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const { headers } = await expectAnswer(CHAT, await gateway.chat());
  expect(headers.get('x-should-retry')).toBe('false');
});

it('takes an answer without choices for none', async () => {
  const backend = await setup.backend(failing(200, { object: 'chat.completion', choices: [] }));
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
  const { status, body } = await expectAnswer(CHAT, await gateway.chat());
  expect(status).toBe(502);
  expect(body).toMatchObject({ error: { code: 'upstream_invalid_response' } });
});
