/** 20,000 mutated bodies and 3,000 mutated heads: never a fault of the gateway, and nothing broken goes on. */

import { expect, it } from '@jest/globals';
import { Pool } from 'undici';
import { answering } from '../../support/answering.ts';
import { createDraw, mutateJson, mutateText, type Draw } from '../../support/mutations.ts';
import { connectRaw } from '../../support/raw-client.ts';
import { createSetup } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const BODIES = 20_000;
const HEADS = 3000;
const AT_ONCE = 5;

/** In parts, so that none takes long where much else runs. */
const RUNS = [1000, 2000, 3000, 4000].flatMap(
  (seed) =>
    [
      ['Ollama', seed, 'OLLAMA_BASE_URL'],
      ['vLLM', seed + 500, 'VLLM_BASE_URL'],
    ] as const,
);

const TOOL = {
  type: 'function',
  function: { name: 'f', parameters: { type: 'object', properties: { a: {} } } },
};
const CHATS = [
  {
    model: 'm',
    messages: [{ role: 'user', content: 'hi "ü" 🦊' }],
    temperature: 0.5,
    max_tokens: 5,
    stop: ['a'],
  },
  {
    model: 'm',
    messages: [
      { role: 'system', content: 'a' },
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
    ],
    stream: true,
    stream_options: { include_usage: true },
  },
  {
    model: 'm',
    messages: [{ role: 'user', content: 'hi' }],
    tools: [TOOL],
    tool_choice: 'auto',
    seed: 7,
    logit_bias: { '5': 1 },
  },
  {
    model: 'm',
    messages: [
      { role: 'user', content: 'hi' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: 'r' },
    ],
    response_format: { type: 'json_schema', json_schema: { name: 'json', schema: { type: 'object' } } },
    metadata: { a: 'b' },
    n: 2,
  },
];
const REQUESTS: readonly (readonly [string, readonly object[]])[] = [
  ['/v1/chat/completions', CHATS],
  [
    '/v1/completions',
    [
      { model: 'm', prompt: ['a', 'b'], stream: true, suffix: null },
      { model: 'm', prompt: [1, 2], echo: false, n: 1 },
    ],
  ],
  [
    '/v1/embeddings',
    [
      { model: 'm', input: ['a', 'b'], encoding_format: 'float' },
      { model: 'm', input: [[1, 2], [3]], dimensions: 2 },
    ],
  ],
  ['/v1/responses', [{ model: 'm', input: [{ role: 'user', content: 'hi' }], tools: [TOOL] }]],
];
/** What means something to readers of JSON and of streams. */
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\n',
  '\u0000',
  '"model":',
  '1e999',
  '-',
  'é',
  '\\ud800',
  'null',
  '/*',
];

function bodyFrom(draw: Draw): { path: string; body: Buffer } {
  const [path, bodies] = draw.from(REQUESTS);
  const given = draw.from(bodies);
  const text =
    draw.below(2) === 0 ? mutateJson(given, draw) : mutateText(JSON.stringify(given), draw, PIECES);
  const body = Buffer.from(text);
  // Some are no UTF-8 any more.
  if (draw.below(20) === 0 && body.length > 0) body[draw.below(body.length)] = 128 + draw.below(128);
  return { path, body };
}

/** An error as OpenAI sends it, of the client's own making. */
function isRefusal(status: number, text: string): boolean {
  const { error } = JSON.parse(text) as { error?: Record<string, unknown> };
  return (
    status >= 400 &&
    status < 500 &&
    Object.keys(error ?? {})
      .sort()
      .join() === 'code,message,param,type' &&
    error?.type === 'invalid_request_error' &&
    typeof error.message === 'string'
  );
}

/** Raw requests may have no body. */
function modelOf(body: Buffer): unknown {
  const { model } = JSON.parse(body.length === 0 ? '{}' : body.toString()) as { model?: unknown };
  return typeof model === 'string' ? model.trim() : model;
}

/** How many were sent with which status, and the models that were asked for with success. */
async function sendBodies(
  { url }: TestGateway,
  seed: number,
): Promise<{ statuses: Map<number, number>; models: Set<unknown> }> {
  const statuses = new Map<number, number>();
  const models = new Set<unknown>();
  const pool = new Pool(url, { connections: AT_ONCE });
  async function sendMany(draw: Draw, count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const { path, body } = bodyFrom(draw);
      const headers = { 'content-type': 'application/json' };
      const response = await pool.request({ path, method: 'POST', headers, body });
      const text = await response.body.text();
      const { statusCode: status } = response;
      // A stream that has begun may end in an error of the request's own, and not in one of the gateway.
      const isFault = status === 200 ? text.includes('"type":"server_error"') : !isRefusal(status, text);
      if (isFault) throw new Error(`${path} ${body.toString()} was answered with ${String(status)} ${text}`);
      if (status === 200) models.add(modelOf(body));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }
  try {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) =>
        sendMany(createDraw(seed + i), BODIES / RUNS.length / AT_ONCE),
      ),
    );
  } finally {
    await pool.destroy();
  }
  return { statuses, models };
}

const isCleanPrototype = (): boolean =>
  !('isPolluted' in {}) && !('isPolluted' in []) && Object.keys(Object.prototype).length === 0;

it.each(RUNS)(
  `${String(BODIES / RUNS.length)} mutated bodies in front of %s, drawn from %i`,
  async (_, seed, variable) => {
    const backend = await setup.backend(answering);
    const gateway = await setup.gateway({
      // Not one may count against the backend.
      env: { [variable]: backend.url, CIRCUIT_FAILURES: '1', LOG_LEVEL: 'error' },
    });
    const { statuses, models } = await sendBodies(gateway, seed);
    expect([...statuses.values()].reduce((sum, count) => sum + count)).toBe(BODIES / RUNS.length);
    // Both happen, or nothing was tested.
    expect(statuses.get(200)).toBeGreaterThan(100);
    expect(statuses.get(400)).toBeGreaterThan(400);
    // What arrived was parsed there: an object with the model that was asked for, under one name.
    const arrived = backend.calls.filter(({ path }) => path.startsWith('/api/') || path.startsWith('/v1/'));
    expect(arrived.length).toBeGreaterThan(100);
    for (const { path, bodyText } of arrived) {
      if (path === '/v1/responses' && bodyText === '') continue;
      const body = JSON.parse(bodyText) as Record<string, unknown>;
      // Passed on raw without a name of a model.
      if (path === '/v1/responses' && typeof body.model !== 'string') continue;
      expect(models).toContain(body.model);
      expect(Object.keys(body).filter((name) => name.toLowerCase() === 'model')).toEqual(['model']);
    }
    expect(isCleanPrototype()).toBe(true);
    expect(gateway.logs.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await gateway.chat()).status).toBe(200);
    expect(gateway.active()).toBe(0);
  },
);

const HEAD_PIECES = [
  '\r\n',
  '\n',
  '\r',
  ':',
  ' ',
  '\t',
  '\u0000',
  '%',
  '/',
  '..',
  '?',
  '#',
  ';',
  '\u00ff',
  'HTTP/1.1',
  'chunked',
  'close',
  '0',
  '-1',
  ',',
];
const BODY = JSON.stringify(CHATS[0]);
const HEADS_OF = [
  `POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nX-Stainless-Timeout: 5\r\nContent-Length: ${String(Buffer.byteLength(BODY))}\r\n`,
  'POST /v1/responses HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n',
  'GET /v1/models/a%2Fb?x=y HTTP/1.1\r\nHost: g\r\nX-Request-Id: abc\r\nAccept: */*\r\n',
  'OPTIONS /v1/files HTTP/1.1\r\nHost: g\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n',
  'GET /health HTTP/1.0\r\nHost: g\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n',
];

it(`${String(HEADS)} mutated heads`, async () => {
  const backend = await setup.backend(answering);
  const gateway = await setup.gateway({
    env: { VLLM_BASE_URL: backend.url, CORS_ORIGINS: 'https://a.example' },
  });
  const seen = new Map<string, number>();

  async function sendMany(draw: Draw, count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const head = mutateText(draw.from(HEADS_OF), draw, HEAD_PIECES);
      const client = connectRaw(gateway.port);
      client.send(`${head}\r\n${BODY}`);
      // Nothing more comes: what waits for a body hears that it is not coming.
      client.socket.end();
      const received = await client.closed;
      const statuses = received.match(/^HTTP\/1\.1 \d{3}/gm) ?? [];
      for (const status of statuses) {
        if (/ 5\d\d$/.test(status)) throw new Error(`${JSON.stringify(head)} was answered with ${received}`);
        seen.set(status, (seen.get(status) ?? 0) + 1);
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => sendMany(createDraw(77 + i), HEADS / AT_ONCE)));
  expect(seen.get('HTTP/1.1 200')).toBeGreaterThan(100);
  expect(seen.get('HTTP/1.1 400')).toBeGreaterThan(100);
  expect(gateway.logs.filter(({ level }) => level === 'error')).toEqual([]);
  expect((await gateway.chat()).status).toBe(200);
});
