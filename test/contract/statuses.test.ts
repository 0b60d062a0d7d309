/** Every status of every operation in openapi.yaml, as the gateway really answers it. */

import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/core/json.ts';
import { failing, saying, type Script } from '../support/scripted-backend.ts';
import type { GatewayOptions, TestGateway } from '../support/gateway.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { expectAnswer } from './answers.ts';
import { startBrokenApp } from './broken-app.ts';
import { operatorWays } from './operator-ways.ts';
import { find, membersOf, operation, operationNames } from './document.ts';

const setup = createSetup();
const KEY = 'k'.repeat(32);

/** A gateway in front of one vLLM that has the model `m`, with its URL. */
async function start(script: Script = saying('hi'), options: GatewayOptions = {}): Promise<TestGateway> {
  const backend = await setup.backend(script, { models: ['m', 'org/name:tag'] });
  return setup.gateway({ ...options, env: { VLLM_BASE_URL: backend.url, ...options.env } });
}

const get =
  (path: string, init: RequestInit = {}, env: GatewayOptions['env'] = {}) =>
  async (): Promise<Response> =>
    fetch((await start(saying('hi'), { env })).url + path, init);

const withoutKey = (path: string, init: RequestInit = {}): (() => Promise<Response>) =>
  get(path, init, { AUTH_KEY: KEY });

const wrongMethod = (path: string): (() => Promise<Response>) => get(path, { method: 'PATCH' });

const broken =
  (path: string, init: RequestInit = {}) =>
  async (): Promise<Response> => {
    const app = await startBrokenApp((await start()).deps);
    try {
      return await fetch(app.url + path, init);
    } finally {
      await app.close();
    }
  };

/** Every status that an answer of a model may have. */
function waysTo(path: string, body: JsonObject, script: Script): Record<string, () => Promise<Response>> {
  const post =
    (
      given: Script = script,
      members: JsonObject = {},
      init: RequestInit = {},
      env: GatewayOptions['env'] = {},
    ) =>
    async (): Promise<Response> =>
      fetch((await start(given, { env })).url + path, postOf({ ...body, ...members }, init));

  async function silentUntilTooLate(): Promise<Response> {
    let onCall = (): void => undefined;
    const called = new Promise<void>((resolve) => (onCall = resolve));
    const gateway = await start(() => onCall(), { isClockStopped: true });
    const response = fetch(gateway.url + path, postOf(body));
    await called;
    gateway.advance(600_000);
    return response;
  }

  const ways = {
    200: post(),
    400: post(script, { model: 7 }),
    401: post(script, {}, {}, { AUTH_KEY: KEY }),
    404: post(script, { model: 'unknown' }),
    405: wrongMethod(path),
    413: post(script, {}, {}, { BODY_LIMIT: '20' }),
    415: post(script, {}, { headers: { 'content-type': 'text/plain' } }),
    429: post(failing(429, { error: { message: 'slow down' } })),
    500: broken(path, postOf(body)),
    502: post(({ reset }) => reset()),
    503: post(failing(503, { error: { message: 'busy' } })),
    504: silentUntilTooLate,
  };
  return Object.fromEntries(Object.entries(ways).map(([status, way]) => [`POST ${path} ${status}`, way]));
}

function postOf(body: JsonObject, init: RequestInit = {}): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...init,
  };
}

const answering =
  (body: object): Script =>
  ({ res }) => {
    res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  };

const COMPLETION = {
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1,
  model: 'm',
  choices: [{ text: ' there', index: 0, logprobs: null, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};

const EMBEDDINGS = {
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: [0.5, 1] }],
  model: 'm',
  usage: { prompt_tokens: 1, total_tokens: 1 },
};

function deleted(script: Script): () => Promise<Response> {
  return async () => fetch(`${(await start(script)).url}/v1/models/m`, { method: 'DELETE' });
}

async function deletedTooLate(): Promise<Response> {
  let onCall = (): void => undefined;
  const called = new Promise<void>((resolve) => (onCall = resolve));
  const gateway = await start(() => onCall(), { isClockStopped: true });
  const response = fetch(`${gateway.url}/v1/models/m`, { method: 'DELETE' });
  await called;
  await eventually(() => gateway.active() === 1);
  gateway.advance(600_000);
  return response;
}

async function drainingReadiness(): Promise<Response> {
  const gateway = await start();
  gateway.deps.enter('leaving');
  return fetch(`${gateway.url}/readyz`);
}

async function startWithOllama(script: Script, options: GatewayOptions = {}): Promise<TestGateway> {
  const backend = await setup.backend(script);
  return setup.gateway({ ...options, env: { OLLAMA_BASE_URL: backend.url, ...options.env } });
}

/** How to get each answer, in the order of the document. */
const WAYS: Readonly<Record<string, () => Promise<Response>>> = {
  ...waysTo(
    '/v1/chat/completions',
    { model: 'm', messages: [{ role: 'user', content: 'hi' }] },
    saying('hi'),
  ),
  ...waysTo('/v1/completions', { model: 'm', prompt: 'hi' }, answering(COMPLETION)),
  ...waysTo('/v1/embeddings', { model: 'm', input: 'hi' }, answering(EMBEDDINGS)),
  ...operatorWays(startWithOllama),
  'GET /v1/models 200': get('/v1/models'),
  'GET /v1/models 401': withoutKey('/v1/models', { headers: { authorization: `Basic ${KEY}` } }),
  'GET /v1/models 405': wrongMethod('/v1/models'),
  'GET /v1/models/{id} 200': get('/v1/models/m'),
  'GET /v1/models/{id} 400': get('/v1/models/%E0%A4'),
  'GET /v1/models/{id} 401': withoutKey('/v1/models/m', { headers: { authorization: 'Bearer wrong' } }),
  'GET /v1/models/{id} 404': get('/v1/models/unknown'),
  'GET /v1/models/{id} 405': wrongMethod('/v1/models/m'),
  'DELETE /v1/models/{id} 200': deleted(answering({ id: 'm', object: 'model', deleted: true })),
  'DELETE /v1/models/{id} 400': get('/v1/models/%E0%A4', { method: 'DELETE' }),
  'DELETE /v1/models/{id} 401': withoutKey('/v1/models/m', { method: 'DELETE' }),
  'DELETE /v1/models/{id} 404': get('/v1/models/unknown', { method: 'DELETE' }),
  'DELETE /v1/models/{id} 405': deleted(failing(405, { detail: 'Method Not Allowed' })),
  'DELETE /v1/models/{id} 429': deleted(failing(429, { error: { message: 'slow down' } })),
  'DELETE /v1/models/{id} 502': deleted(({ reset }) => reset()),
  'DELETE /v1/models/{id} 503': deleted(failing(503, { error: { message: 'busy' } })),
  'DELETE /v1/models/{id} 504': deletedTooLate,
  'GET /health 200': withoutKey('/health'),
  'GET /health 405': wrongMethod('/health'),
  'GET /healthz 200': withoutKey('/healthz'),
  'GET /healthz 405': wrongMethod('/healthz'),
  'GET /livez 200': withoutKey('/livez'),
  'GET /livez 405': wrongMethod('/livez'),
  'GET /readyz 200': withoutKey('/readyz'),
  'GET /readyz 405': wrongMethod('/readyz'),
  'GET /readyz 503': drainingReadiness,
  'GET /metrics 200': withoutKey('/metrics'),
  'GET /metrics 405': wrongMethod('/metrics'),
  'GET /metrics 500': broken('/metrics'),
  'GET /openapi.yaml 200': withoutKey('/openapi.yaml'),
  'GET /openapi.yaml 405': wrongMethod('/openapi.yaml'),
  'GET /openapi.yaml 500': broken('/openapi.yaml'),
};

it('there is a way to every status of every operation', () => {
  const described = operationNames().flatMap((name) =>
    membersOf(find(['responses'], operation(name))).map((status) => `${name} ${status}`),
  );
  expect(described).toEqual(Object.keys(WAYS));
});

describe('the gateway answers as described', () => {
  it.each(Object.entries(WAYS))('%s', async (name, way) => {
    const response = await way();
    const status = Number(name.slice(-3));
    const answer = await expectAnswer(name.slice(0, -4), response);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });

  it.each([
    '/health',
    '/healthz',
    '/livez',
    '/readyz',
    '/metrics',
    '/openapi.yaml',
    '/v1/models',
    '/v1/models/m',
  ])('HEAD %s with the status and headers of GET and no body', async (path) => {
    const { url } = await start();
    const [head, whole] = [await fetch(url + path, { method: 'HEAD' }), await fetch(url + path)];
    expect(head.status).toBe(200);
    expect(head.headers.get('content-type')).toBe(whole.headers.get('content-type'));
    expect(head.headers.get('x-request-id')).toMatch(/^req_/);
    expect(await head.text()).toBe('');
    await whole.text();
  });
});
