/** The HTTP around the answers: paths, methods, bodies, keys, ids, metrics. */

import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { saying } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();
const KEY = 'a-key-of-at-least-thirty-two-characters';

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: unknown;
    readonly code: unknown;
  };
}

async function startWith(
  env: Readonly<Record<string, string>> = {},
): Promise<{ url: string; gateway: Awaited<ReturnType<typeof setup.gateway>> }> {
  const backend = await setup.backend(saying('x'), { models: ['llama3.2:latest', 'hf.co/org/name:Q4_K_M'] });
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ...env } });
  return { url: gateway.url, gateway };
}

const QUESTION = JSON.stringify({ model: 'llama3.2', messages: [{ role: 'user', content: 'hi' }] });

describe('a request that cannot be served', () => {
  it.each([
    ['an unknown path', 'POST', '/v1/foo', 'application/json', '{}', 404, 'unknown_url'],
    ['an unknown path outside /v1', 'GET', '/nope', undefined, undefined, 404, 'unknown_url'],
    ['a wrong method', 'GET', '/v1/chat/completions', undefined, undefined, 405, 'method_not_supported'],
    ['a wrong method for models', 'PUT', '/v1/models/x', undefined, undefined, 405, 'method_not_supported'],
    ['broken JSON', 'POST', '/v1/chat/completions', 'application/json', '{"model":', 400, null],
    ['JSON that is no object', 'POST', '/v1/chat/completions', 'application/json', '[1]', 400, null],
    ['no body', 'POST', '/v1/chat/completions', 'application/json', '', 400, null],
    [
      'bytes that are no UTF-8',
      'POST',
      '/v1/chat/completions',
      'application/json',
      Buffer.from([0x7b, 0xff, 0x7d]),
      400,
      null,
    ],
    [
      'another content type',
      'POST',
      '/v1/chat/completions',
      'text/plain',
      QUESTION,
      415,
      'unsupported_content_type',
    ],
    [
      'a form',
      'POST',
      '/v1/chat/completions',
      'application/x-www-form-urlencoded',
      'a=b',
      415,
      'unsupported_content_type',
    ],
    [
      'another charset',
      'POST',
      '/v1/chat/completions',
      'application/json; charset=latin1',
      QUESTION,
      415,
      'unsupported_content_type',
    ],
    [
      'a body that is too large',
      'POST',
      '/v1/chat/completions',
      'application/json',
      'x'.repeat(2000),
      413,
      null,
    ],
    ['a malformed escape in the path', 'GET', '/v1/models/%E0%A4%A', undefined, undefined, 400, null],
    [
      'a deep nesting',
      'POST',
      '/v1/chat/completions',
      'application/json',
      `${'['.repeat(900)}${']'.repeat(900)}`,
      400,
      null,
    ],
  ])('for %s gets an error as OpenAI sends it', async (_, method, path, type, body, status, code) => {
    const { url } = await startWith({ BODY_LIMIT: '1900' });
    const response = await fetch(url + path, {
      method,
      ...(type !== undefined && { headers: { 'content-type': type } }),
      ...(body !== undefined && { body }),
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('x-request-id')).toMatch(/./);
    const { error } = (await response.json()) as ErrorBody;
    expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
    expect(error).toMatchObject({ type: 'invalid_request_error', code });
  });

  it('names the methods that a path has', async () => {
    const { url } = await startWith();
    expect((await request(url).get('/v1/chat/completions')).headers.allow).toBe('POST');
    expect((await request(url).post('/v1/models')).headers.allow).toBe('GET, HEAD');
    expect((await request(url).post('/v1/models/m')).headers.allow).toBe('GET, HEAD, DELETE');
  });

  it.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.api+json'])(
    'is not one of type %s',
    async (type) => {
      const { url } = await startWith();
      expect(
        (await request(url).post('/v1/chat/completions').set('content-type', type).send(QUESTION)).status,
      ).toBe(200);
    },
  );
});

describe('a key', () => {
  it('is asked for under /v1 and nowhere else', async () => {
    const { url } = await startWith({ AUTH_KEY: KEY });
    for (const path of ['/health', '/healthz', '/livez', '/readyz', '/metrics', '/openapi.yaml']) {
      expect([path, (await request(url).get(path)).status]).toEqual([path, 200]);
    }
    for (const path of ['/v1/models', '/v1/models/x', '/v1/foo']) {
      expect([path, (await request(url).get(path)).status]).toEqual([path, 401]);
    }
  });

  it('is looked at before the body is read', async () => {
    const { url } = await startWith({ AUTH_KEY: KEY });
    const response = await request(url)
      .post('/v1/chat/completions')
      .set('content-type', 'text/plain')
      .send('x'.repeat(100));
    expect(response.status).toBe(401);
  });

  it('of several lets its holder in under a name, which the log has, and the key has not', async () => {
    const { url, gateway } = await startWith({ AUTH_KEY: KEY, API_KEYS: `${KEY}-2,${KEY}-3` });
    const response = await request(url).get('/v1/models').set('authorization', `Bearer ${KEY}-3`);
    expect(response.status).toBe(200);
    await eventually(() => gateway.logs.some(({ fields }) => fields.client === 'key-3'));
    expect(JSON.stringify(gateway.logs)).not.toContain(KEY);
  });
});

describe('models', () => {
  it.each([
    ['/v1/models/llama3.2:latest', 'llama3.2:latest'],
    ['/v1/models/llama3.2', 'llama3.2:latest'],
    ['/v1/models/hf.co/org/name:Q4_K_M', 'hf.co/org/name:Q4_K_M'],
    ['/v1/models/hf.co%2Forg%2Fname:Q4_K_M', 'hf.co/org/name:Q4_K_M'],
    ['/v1/models/hf.co%2forg/name%3AQ4_K_M', 'hf.co/org/name:Q4_K_M'],
  ])('%s is %s', async (path, id) => {
    const { url } = await startWith();
    expect((await request(url).get(path)).body).toMatchObject({ id, object: 'model' });
  });

  it('that are not there are not found, with the parameter named', async () => {
    const { url } = await startWith();
    const response = await request(url).get('/v1/models/nope');
    expect(response.status).toBe(404);
    expect((response.body as ErrorBody).error).toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('are answered to HEAD without a body', async () => {
    const { url } = await startWith();
    const response = await request(url).head('/v1/models');
    expect(response.status).toBe(200);
    expect(response.text).toBeFalsy();
  });
});

describe('a request id', () => {
  it('of a proxy in front is kept when it is plain, and replaced when it is not', async () => {
    const { url } = await startWith();
    const idFor = async (id: string): Promise<string> =>
      String((await request(url).get('/health').set('x-request-id', id)).headers['x-request-id']);
    expect(await idFor('abc-123')).toBe('abc-123');
    expect(await idFor('<script>')).toMatch(/^req_[0-9a-f]+$/);
    expect(await idFor('x'.repeat(200))).toMatch(/^req_[0-9a-f]+$/);
  });

  it('is another one for each request', async () => {
    const { url } = await startWith();
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(`${url}/health`)).headers.get('x-request-id')),
    );
    expect(new Set(ids).size).toBe(20);
  });
});

describe('web pages', () => {
  it('of a named origin may call, after a preflight without a key', async () => {
    const { url } = await startWith({ AUTH_KEY: KEY, CORS_ORIGINS: 'https://app.example' });
    const preflight = await request(url)
      .options('/v1/chat/completions')
      .set('origin', 'https://app.example')
      .set('access-control-request-method', 'POST')
      .set('access-control-request-headers', 'authorization,content-type,x-stainless-lang');
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-headers': 'authorization,content-type,x-stainless-lang',
    });
    const refused = await request(url).get('/v1/models').set('origin', 'https://app.example');
    expect(refused.status).toBe(401);
    expect(refused.headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example' });
    expect(refused.headers['access-control-expose-headers']).toMatch(/x-request-id/);
  });

  it('of another origin may not, and none may when no origin was named', async () => {
    const { url } = await startWith({ CORS_ORIGINS: 'https://app.example,https://two.example' });
    const other = await request(url).get('/health').set('origin', 'https://evil.example');
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    const { url: closed } = await startWith();
    expect(
      (await request(closed).get('/health').set('origin', 'https://app.example')).headers[
        'access-control-allow-origin'
      ],
    ).toBeUndefined();
  });
});

describe('metrics', () => {
  it('have their promised names, and labels that no client can invent', async () => {
    const { url, gateway } = await startWith();
    await gateway.chat({ model: 'llama3.2', stream: true }).then((response) => response.text());
    const before = (await request(url).get('/metrics')).text.split('\n').length;
    for (let i = 0; i < 30; i++) {
      await gateway
        .chat({ model: `invented-${String(i)}`, stream: true })
        .then((response) => response.text());
      await fetch(`${url}/v1/invented/${String(i)}`);
      await fetch(`${url}/v1/models/invented-${String(i)}`);
    }
    const { text } = await request(url).get('/metrics');
    for (const name of METRIC_NAMES) expect(text).toContain(`# TYPE ${name} `);
    expect(text).not.toContain('invented');
    expect(text).toContain('route="/v1/chat/completions"');
    expect(text).toContain('model="llama3.2:latest"');
    expect(text.split('\n').length - before).toBeLessThan(150);
  });

  it('can be turned off and moved', async () => {
    expect((await request((await startWith({ ENABLE_METRICS: 'false' })).url).get('/metrics')).status).toBe(
      404,
    );
    expect(
      (await request((await startWith({ METRICS_PATH: '/internal/metrics' })).url).get('/internal/metrics'))
        .status,
    ).toBe(200);
  });
});

const METRIC_NAMES = [
  'http_requests_total',
  'http_request_duration_seconds',
  'ai_gateway_active_streams',
  'ai_gateway_streams_total',
  'ai_tokens_processed_total',
  'ai_model_inference_duration_seconds',
  'ai_gateway_time_to_first_token_seconds',
  'ai_gateway_time_per_output_token_seconds',
  'ai_gateway_overhead_seconds',
  'ai_gateway_backend_up',
  'ai_gateway_backend_in_flight',
];

describe('the log', () => {
  it('has one line a request, with who, what, where and how long, and nothing of the conversation', async () => {
    const { gateway } = await startWith();
    const secret = 'the-secret-of-the-prompt';
    await gateway
      .chat({ model: 'llama3.2', stream: true, messages: [{ role: 'user', content: secret }] })
      .then((response) => response.text());
    await eventually(() => gateway.logs.some(({ message }) => message === 'request'));
    const lines = gateway.logs.filter(({ message }) => message === 'request');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields).toMatchObject({
      client: 'anonymous',
      model: 'llama3.2:latest',
      backend: 'ollama',
      status: 200,
      outcome: 'completed',
      inputTokens: 5,
      outputTokens: 1,
    });
    for (const name of ['requestId', 'ttftMs', 'durationMs']) expect(lines[0]?.fields).toHaveProperty(name);
    expect(JSON.stringify(gateway.logs)).not.toContain(secret);
  });
});
