/** What browsers are told: which pages may call, what their scripts may read, and that answers are data. */

import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { failing, saying, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import type { TestGateway } from '../../support/gateway.ts';

const setup = createSetup();
const KEY = 'a-key-of-at-least-thirty-two-characters';
const PAGE = 'https://chat.example';

async function start(
  env: Readonly<Record<string, string>> = { CORS_ORIGINS: `${PAGE},https://two.example` },
): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('a', 'b'));
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, AUTH_KEY: KEY, ...env } });
  return { gateway, backend };
}

/**
 * What a browser does with a request of a page (Fetch, section 4): a preflight that names the headers that
 * are not safe by themselves, and the answer only if the page may have it, with the headers that it may see.
 */
function browserOf(origin: string, sent: { preflights: number }): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const names = [...request.headers.keys()].filter((name) => !/^(accept|accept-language)$/.test(name));
    sent.preflights++;
    const preflight = await fetch(request.url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': request.method,
        'access-control-request-headers': names.sort().join(','),
      },
    });
    const allowed = listOf(preflight.headers.get('access-control-allow-headers'));
    if (!preflight.ok || !isAllowed(preflight, origin) || !names.every((name) => allowed.includes(name))) {
      throw new TypeError('Failed to fetch');
    }
    request.headers.set('origin', origin);
    const response = await fetch(request);
    if (!isAllowed(response, origin)) throw new TypeError('Failed to fetch');
    const exposed = listOf(response.headers.get('access-control-expose-headers'));
    const seen = [...response.headers].filter(([name]) => name === 'content-type' || exposed.includes(name));
    return new Response(response.body, { status: response.status, headers: seen });
  };
}

const listOf = (header: string | null): string[] => (header ?? '').split(',').map((name) => name.trim());
const isAllowed = ({ headers }: Response, origin: string): boolean =>
  ['*', origin].includes(headers.get('access-control-allow-origin') ?? '');

function clientOf(gateway: TestGateway, origin: string): { client: OpenAI; sent: { preflights: number } } {
  const sent = { preflights: 0 };
  const client = new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: KEY,
    dangerouslyAllowBrowser: true,
    maxRetries: 0,
    fetch: browserOf(origin, sent),
  });
  return { client, sent };
}

const QUESTION = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] };

describe('a page of a named origin', () => {
  it.each([
    ['its own name', `${PAGE},https://two.example`],
    ['*', '*'],
  ])('uses the SDK of OpenAI, whole and streamed (%s)', async (_, origins) => {
    const { gateway } = await start({ CORS_ORIGINS: origins });
    const { client, sent } = clientOf(gateway, PAGE);
    const { data, request_id: id } = await client.chat.completions.create(QUESTION).withResponse();
    expect(data.choices[0]?.message.content).toBe('ab');
    expect(id).toMatch(/^req_/);
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...QUESTION, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('ab');
    expect(sent.preflights).toBe(2);
  });

  it('hears why it was refused, and when to come again', async () => {
    const { gateway, backend } = await start();
    const { client } = clientOf(gateway, PAGE);
    backend.script(failing(429, { error: { message: 'slow down' } }, { 'retry-after': '7' }));
    const limited = (await client.chat.completions.create(QUESTION).catch((error: unknown) => error)) as {
      status: number;
      requestID: string;
      headers: Headers;
    };
    expect(limited).toBeInstanceOf(OpenAI.RateLimitError);
    expect(limited.headers.get('retry-after')).toBe('7');
    expect(limited.requestID).toMatch(/^req_/);
    const refused = client.withOptions({ apiKey: 'another key' }).chat.completions.create(QUESTION);
    await expect(refused).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  });

  it('is answered its preflight without a key, and no backend hears of it', async () => {
    const { gateway, backend } = await start();
    for (const path of ['/v1/chat/completions', '/v1/files', '/v1/models/m', '/anything']) {
      const { status, headers } = await preflight(gateway, path, 'authorization,x-stainless-lang');
      expect([path, status, headers.get('access-control-allow-origin')]).toEqual([path, 204, PAGE]);
      expect(headers.get('access-control-allow-headers')).toBe('authorization,x-stainless-lang');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('access-control-max-age')).toBe('86400');
      expect(headers.get('vary')).toMatch(/\bOrigin\b/);
    }
    expect(backend.calls).toEqual([]);
  });

  it.each([
    ['no list', 'a b'],
    ['a name without end', 'x'.repeat(65)],
    ['too many names', Array(65).fill('x').join()],
  ])('gets no header echoed that is %s', async (_, names) => {
    const { gateway } = await start();
    const { headers } = await preflight(gateway, '/v1/chat/completions', names);
    expect(headers.get('access-control-allow-headers')).toBe('authorization,content-type');
  });

  it('may have its answers cached by their origin only', async () => {
    const { gateway } = await start();
    for (const headers of [{ origin: PAGE }, { origin: 'https://evil.example' }, {}]) {
      expect((await fetch(`${gateway.url}/health`, { headers })).headers.get('vary')).toMatch(/\bOrigin\b/);
    }
  });

  it('sends an OPTIONS of its own to who takes it, with its key', async () => {
    const { gateway, backend } = await start();
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${gateway.url}/v1/files`, { method: 'OPTIONS', headers: { origin: PAGE, ...headers } });
    const refused = await ask({});
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, PAGE]);
    expect(backend.calls).toEqual([]);
    await ask({ authorization: `Bearer ${KEY}` });
    expect(backend.calls).toHaveLength(1);
  });
});

describe('a page of another origin', () => {
  it.each([
    'https://evil.example',
    `${PAGE}.evil.example`,
    'http://chat.example',
    `${PAGE}:8443`,
    'null',
    'https://chat.example/',
  ])('gets nothing: %s', async (origin) => {
    const { gateway, backend } = await start();
    const { client } = clientOf(gateway, origin);
    await expect(client.chat.completions.create(QUESTION)).rejects.toBeInstanceOf(OpenAI.APIConnectionError);
    expect(backend.calls).toEqual([]);
  });

  it('gets nothing when no origin was named: a preflight is a request without a key', async () => {
    const { gateway } = await start({});
    const { status, headers } = await preflight(gateway, '/v1/chat/completions', 'authorization');
    expect(status).toBe(401);
    expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});

describe('the time for which a browser may remember', () => {
  it('can be set', async () => {
    const { gateway } = await start({ CORS_ORIGINS: '*', CORS_MAX_AGE_MS: '90s' });
    const { headers } = await preflight(gateway, '/v1/models', 'authorization');
    expect(headers.get('access-control-max-age')).toBe('90');
  });
});

it.each(['https://chat.example/', 'chat.example', 'https://Chat.example', 'https://*.example', 'null'])(
  'an origin that no browser sends is a fault: %s',
  async (CORS_ORIGINS) => {
    await expect(setup.gateway({ env: { CORS_ORIGINS } })).rejects.toThrow(/CORS_ORIGINS|server\.cors/);
  },
);

describe('every answer', () => {
  it('tells browsers that it is data: no sniffing, no frame, no referrer, no use by other sites', async () => {
    const { gateway, backend } = await start({});
    const authorization = `Bearer ${KEY}`;
    const json = { authorization, 'content-type': 'application/json' };
    const post = (body: object): RequestInit => ({
      method: 'POST',
      headers: json,
      body: JSON.stringify({ ...QUESTION, ...body }),
    });
    const asked: readonly (readonly [string, RequestInit?])[] = [
      ['/v1/chat/completions', post({})],
      ['/v1/chat/completions', post({ stream: true })],
      ['/v1/chat/completions', post({ model: 1 })],
      ['/v1/chat/completions'],
      ['/v1/models', { headers: json }],
      ['/v1/responses', post({})],
      ['/health'],
      ['/metrics'],
      ['/nowhere'],
      ['/%E0%A4%A'],
    ];
    const statuses = new Set<number>();
    for (const [path, init] of asked) {
      if (path === '/v1/responses')
        backend.script(failing(200, {}, { server: 'x', 'set-cookie': 'a=b', etag: '"1"' }));
      const response = await fetch(gateway.url + path, init);
      statuses.add(response.status);
      await response.text();
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
      });
      for (const name of ['x-powered-by', 'server', 'set-cookie'])
        expect(response.headers.get(name)).toBeNull();
    }
    expect([...statuses].sort()).toEqual([200, 400, 401, 404]);
  });
});

function preflight(gateway: TestGateway, path: string, names: string): Promise<Response> {
  return fetch(gateway.url + path, {
    method: 'OPTIONS',
    headers: {
      origin: PAGE,
      'access-control-request-method': 'POST',
      'access-control-request-headers': names,
    },
  });
}
