/** Keys for certain models: they get no other, under whatever name and on whatever road. */

import { describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import { failureOf } from '../e2e/clients/failure-of.ts';
import { saying, type ScriptedBackend } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import type { TestGateway } from '../support/gateway.ts';

const setup = createSetup();
const KEY = 'a-key-for-certain-models-and-no-others';
const FILE = `
auth:
  clients:
    - { name: restricted, key: ${KEY}, models: ['open*', fast, 'gpu/open'] }
    - { name: nothing, key: ${KEY}-0, models: [] }
    - { name: everything, key: ${KEY}-all }
models:
  fast: { targets: [{ model: secret }] }
  slow: { targets: [{ model: open }] }`;

async function start(): Promise<{ gateway: TestGateway; backend: ScriptedBackend }> {
  const backend = await setup.backend(saying('x'), { models: ['open', 'open-2', 'secret'] });
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url }, file: FILE });
  return { gateway, backend };
}

function call(
  { url }: TestGateway,
  path: string,
  body: RequestInit['body'] | object,
  { key = KEY, headers = {} }: { key?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  const isJson = typeof body === 'object' && Object.getPrototypeOf(body) === Object.prototype;
  return fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      ...((isJson || typeof body === 'string') && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && {
      body: isJson ? JSON.stringify(body) : (body as NonNullable<RequestInit['body']>),
    }),
  });
}

const outcomeOf = async (response: Response): Promise<[number, unknown]> => {
  const { error } = (await response.json()) as { error?: { code: unknown } };
  return [response.status, error?.code];
};

const QUESTION = { messages: [{ role: 'user', content: 'hi' }], prompt: 'hi', input: 'hi' };
const NOT_FOUND = [404, 'model_not_found'];

describe('a key for certain models', () => {
  it.each([
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/embeddings',
    '/v1/responses',
    '/v1/rerank',
    '/v1/audio/speech',
  ])('gets no other on %s, by whichever name', async (path) => {
    const { gateway, backend } = await start();
    for (const model of [
      'secret',
      'secret:latest',
      'vllm/secret',
      'vllm/open',
      'slow',
      'FAST',
      'Open',
      ' secret',
      'gpu/secret',
      'default',
      'unheard-of',
    ]) {
      expect([model, await outcomeOf(await call(gateway, path, { model, ...QUESTION }))]).toEqual([
        model,
        NOT_FOUND,
      ]);
    }
    expect(
      await outcomeOf(await call(gateway, path, { model: 'open', ...QUESTION }, { key: `${KEY}-0` })),
    ).toEqual(NOT_FOUND);
    expect(backend.calls).toEqual([]);
  });

  it.each(['/v1/chat/completions', '/v1/embeddings', '/v1/responses'])(
    'gets no other on %s by a second name in the body',
    async (path) => {
      const { gateway, backend } = await start();
      const rest = JSON.stringify(QUESTION).slice(1);
      for (const body of [
        `{"model":"open","model":"secret",${rest}`,
        `{"model":"open","models":["open","secret"],${rest}`,
        `{"model":"open","fallbacks":["secret"],${rest}`,
        `{"model":"open","fallbacks":[{"model":"open"},{"model":"secret"}],${rest}`,
        `{"model":"open","Fallbacks":{"any":[{"Models":["secret"]}]},${rest}`,
      ]) {
        expect([body, await outcomeOf(await call(gateway, path, body))]).toEqual([body, NOT_FOUND]);
      }
      // Whoever asks: to servers written in Go these are the same name.
      for (const name of ['Model', 'MODEL', '\\u004dodel']) {
        const body = `{"model":"open","${name}":"secret",${rest}`;
        for (const key of [KEY, `${KEY}-all`]) {
          const outcome = await outcomeOf(await call(gateway, path, body, { key }));
          expect([body, outcome]).toEqual([body, [400, null]]);
        }
      }
      expect(backend.calls).toEqual([]);
    },
  );

  it.each<[string, string, RequestInit['body'] | object, Readonly<Record<string, string>>]>([
    ['a form', '/v1/audio/transcriptions', form({ model: 'open' }), {}],
    ['no body', '/v1/files', undefined, {}],
    ['JSON without a model', '/v1/responses', { input: 'hi' }, {}],
    ['JSON that is compressed', '/v1/responses', { model: 'open' }, { 'content-encoding': 'gzip' }],
    ['JSON that is not called so', '/v1/responses', '{"model":"open"}', { 'content-type': 'text/plain' }],
  ])('is not passed on raw with %s', async (_, path, body, headers) => {
    const { gateway, backend } = await start();
    expect(await outcomeOf(await call(gateway, path, body, { headers }))).toEqual([403, 'permission_denied']);
    expect(backend.calls).toEqual([]);
  });

  it.each([
    ['in a tool', '/v1/responses', { model: 'open', tools: [{ type: 'image_generation', model: 'secret' }] }],
    ['deep below', '/v1/evals', { model: 'open', a: [{ b: { Model: 'secret' } }] }],
    ['in the query', '/v1/realtime?model=secret', { model: 'open' }],
    ['in the query by other letters', '/v1/realtime?a=1&Model=secret', { model: 'open' }],
    ['in the path', '/v1/engines/secret/completions', { model: 'open' }],
    ['in the path, escaped', '/v1/engines/s%c3%a9cret/completions', { model: 'open' }],
  ])('is not passed on raw with another model %s', async (_, path, body) => {
    const { gateway, backend } = await start();
    expect(await outcomeOf(await call(gateway, path, body))).toEqual(NOT_FOUND);
    expect(backend.calls).toEqual([]);
  });

  it('gets its models on every road', async () => {
    const { gateway, backend } = await start();
    for (const [path, more] of [
      ['/v1/chat/completions', {}],
      ['/v1/chat/completions', { model: ' open ' }],
      ['/v1/chat/completions', { models: ['open-2', 'open'] }],
      ['/v1/responses', { tools: [{ parameters: { properties: { model: { type: 'string' } } } }] }],
      ['/v1/responses', { metadata: { model: 'a note' } }],
      ['/v1/engines/open/completions?model=open', {}],
    ] as const) {
      const response = await call(gateway, path, { model: 'open', ...QUESTION, ...more });
      expect([path, response.status]).toEqual([path, 200]);
      await response.text();
    }
    // By a name of the operator's, whatever stands behind it.
    expect((await call(gateway, '/v1/chat/completions', { model: 'fast', ...QUESTION })).status).toBe(200);
    expect(backend.calls.map(({ body }) => body.model)).toEqual([...Array<string>(6).fill('open'), 'secret']);
  });

  it('sees no others in the list, nor one by one', async () => {
    const { gateway } = await start();
    const idsFor = async (key: string): Promise<string[]> => {
      const { data } = (await (await call(gateway, '/v1/models', undefined, { key })).json()) as {
        data: { id: string }[];
      };
      return data.map(({ id }) => id).sort();
    };
    expect(await idsFor(KEY)).toEqual(['fast', 'open', 'open-2']);
    expect(await idsFor(`${KEY}-0`)).toEqual([]);
    expect(await idsFor(`${KEY}-all`)).toEqual(['fast', 'open', 'open-2', 'secret', 'slow']);
    expect((await call(gateway, '/v1/models/open', undefined)).status).toBe(200);
    for (const id of ['secret', 'SECRET', 'slow', 'vllm%2Fsecret', 'nothing']) {
      expect([id, await outcomeOf(await call(gateway, `/v1/models/${id}`, undefined))]).toEqual([
        id,
        NOT_FOUND,
      ]);
    }
  });

  it('hears of a model that is kept from it what it hears of one that is not there', async () => {
    const { gateway } = await start();
    const messageFor = async (model: string): Promise<string> => {
      const response = await call(gateway, '/v1/chat/completions', { model, ...QUESTION });
      return (await response.text()).replaceAll(model, 'X');
    };
    expect(await messageFor('secret')).toBe(await messageFor('nothing'));
  });

  it('is an error of the SDK’s own, as with OpenAI', async () => {
    const { gateway } = await start();
    const clientOf = (apiKey: string): OpenAI => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey });
    const ask = (apiKey: string): Promise<unknown> =>
      failureOf(clientOf(apiKey).chat.completions.create({ model: 'secret', messages: [] }));
    const chat = await failureOf(
      clientOf(KEY).chat.completions.create({ model: 'secret', messages: [{ role: 'user', content: 'a' }] }),
    );
    expect(chat).toBeInstanceOf(OpenAI.NotFoundError);
    expect(chat).toMatchObject({ code: 'model_not_found', type: 'invalid_request_error', param: null });
    const shown = await failureOf(clientOf(KEY).models.retrieve('secret'));
    expect(shown).toBeInstanceOf(OpenAI.NotFoundError);
    expect(shown).toMatchObject({ code: 'model_not_found', param: 'model' });
    const unknown = await ask('sk-unknown');
    expect(unknown).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(unknown).toMatchObject({ code: 'invalid_api_key', status: 401 });
  });
});

function form(fields: Readonly<Record<string, string>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
}
