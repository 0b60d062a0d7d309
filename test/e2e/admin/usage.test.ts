/** The ledger through the whole gateway: what is counted, for whom, and how it is told. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { expectAnswer } from '../../contract/answers.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { ADMIN_KEY, askAsOperator, OPERATOR } from '../../support/operator.ts';
import { failing, ollamaToken, saying } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream } from '../../support/sse.ts';

const setup = createSetup();
const KEYS = ['a-client-with-a-key-of-32-characters', 'another-client-has-a-key-too'] as const;
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-'));
  folders.push(folder);
  return folder;
}

async function start(
  backends: Readonly<Record<string, string>>,
  { folder, file = '' }: { folder?: string; file?: string } = {},
): Promise<TestGateway> {
  return setup.gateway({
    env: {
      ...backends,
      ADMIN_KEY,
      AUTH_KEY: KEYS[0],
      API_KEYS: KEYS[1],
      USAGE_ENABLED: 'true',
      USAGE_DIR: folder ?? (await newFolder()),
    },
    file,
  });
}

interface Row {
  readonly key?: string;
  readonly requests: number;
  readonly errors: Readonly<Record<string, number>>;
}

interface Report {
  readonly rows: readonly Row[];
  readonly totals: Row;
  readonly currency: string | null;
}

async function usage(url: string, query = ''): Promise<Report> {
  const response = await askAsOperator(`${url}/admin/usage${query}`);
  return (await expectAnswer('GET /admin/usage', response)).body as Report;
}

function post(url: string, path: string, body: object, key: string = KEYS[0]): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
}

const chat = (url: string, more: object = {}, key?: string): Promise<Response> =>
  post(
    url,
    '/v1/chat/completions',
    { model: 'm', messages: [{ role: 'user', content: 'hi' }], ...more },
    key,
  );

describe('usage', () => {
  it('is counted for each key, of streams and of answers in one piece', async () => {
    const backend = await setup.backend(saying('one', ' two'));
    const { url } = await start({ OLLAMA_BASE_URL: backend.url });
    await (await chat(url)).text();
    await (await chat(url, { stream: true })).text();
    await (await chat(url, {}, KEYS[1])).text();
    const { rows, totals } = await usage(url);
    const row = {
      model: 'm',
      backend: 'ollama',
      errors: {},
      cachedTokens: 0,
      reasoningTokens: 0,
      cost: null,
    };
    expect(rows).toEqual([
      {
        ...row,
        day: today(),
        keyId: 'default',
        key: 'default',
        requests: 2,
        inputTokens: 10,
        outputTokens: 4,
      },
      { ...row, day: today(), keyId: 'key-2', key: 'key-2', requests: 1, inputTokens: 5, outputTokens: 2 },
    ]);
    expect(totals).toMatchObject({ requests: 3, inputTokens: 15, outputTokens: 6 });
  });

  it('is counted of completions, embeddings and raw requests alike', async () => {
    const backend = await setup.backend(({ path, res }) => {
      res.setHeader('content-type', 'application/json');
      const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };
      const data = [{ object: 'embedding', index: 0, embedding: [0.5] }];
      const choices = [{ text: 'x', index: 0, logprobs: null, finish_reason: 'stop' }];
      if (path === '/v1/embeddings') {
        const ofInput = { prompt_tokens: 7, total_tokens: 7 };
        res.end(JSON.stringify({ object: 'list', data, model: 'm', usage: ofInput }));
      } else
        res.end(
          JSON.stringify({ id: 'c', object: 'text_completion', created: 1, model: 'm', choices, usage }),
        );
    });
    const { url } = await start({ VLLM_BASE_URL: backend.url });
    expect((await post(url, '/v1/completions', { model: 'm', prompt: 'hi' })).status).toBe(200);
    expect((await post(url, '/v1/embeddings', { model: 'm', input: 'hi' })).status).toBe(200);
    expect((await post(url, '/v1/rerank', { model: 'm', query: 'hi' })).status).toBe(200);
    const { rows } = await usage(url, '?groupBy=model,backend');
    expect(rows).toMatchObject([
      { model: 'm', backend: 'vllm', requests: 3, inputTokens: 14, outputTokens: 2 },
    ]);
  });

  it('tells failures by their reasons, and what a client saw of a stream that broke off', async () => {
    const backend = await setup.backend(failing(500, { error: 'no memory' }));
    const { url, active } = await start({ OLLAMA_BASE_URL: backend.url });
    await (await chat(url)).text();
    backend.script(async ({ write, reset }) => {
      await write(ollamaToken('half'));
      await eventually(() => active() === 1);
      reset();
    });
    await (await chat(url, { stream: true })).text();
    backend.script(async ({ write }) => {
      await write(ollamaToken('begun'));
      await write(ollamaToken('on'));
    });
    const leaving = new AbortController();
    const stream = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEYS[0]}` },
      body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] }),
      signal: leaving.signal,
    });
    await openStream(stream).until('on');
    leaving.abort();
    await eventually(() => active() === 0);
    const { totals } = await usage(url);
    expect(totals.errors).toEqual({ client_closed: 1, upstream_connection_error: 1, upstream_error: 1 });
    expect(totals.requests).toBe(3);
    expect((totals as unknown as { outputTokens: number }).outputTokens).toBeGreaterThanOrEqual(2);
  });

  it('never names what a client made up', async () => {
    const backend = await setup.backend(failing(404, { error: 'model not found' }));
    const { url } = await start({ OLLAMA_BASE_URL: backend.url });
    for (const model of ['made-up-1', 'made-up-2', '__proto__']) await (await chat(url, { model })).text();
    const { rows } = await usage(url);
    expect(rows).toMatchObject([{ model: 'other', requests: 3 }]);
    expect(JSON.stringify(rows)).not.toContain('made-up');
  });

  it('has its cost where there are prices', async () => {
    const backend = await setup.backend(saying('x', 'y'));
    const { url } = await start(
      { OLLAMA_BASE_URL: backend.url },
      { file: 'prices: { currency: EUR, models: { "ollama/*": { input: 2, output: 10 } } }' },
    );
    await (await chat(url)).text();
    expect(await usage(url)).toMatchObject({
      currency: 'EUR',
      totals: { cost: (5 * 2 + 2 * 10) / 1e6 },
    });
  });

  it('comes as CSV by parameter or by Accept', async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await start({ OLLAMA_BASE_URL: backend.url });
    await (await chat(url)).text();
    const byParameter = await askAsOperator(`${url}/admin/usage?format=csv&groupBy=key`);
    const byHeader = await fetch(`${url}/admin/usage?groupBy=key`, {
      headers: { ...OPERATOR, accept: 'text/csv' },
    });
    for (const response of [byParameter, byHeader]) {
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      const { body } = await expectAnswer('GET /admin/usage', response);
      expect(body).toMatch(/^key,keyId,requests,.*\r\ndefault,default,1,0,5,1,0,0,,\r\n$/);
    }
  });

  it.each([
    ['from=2026-02-30', 'from'],
    ['to=tomorrow', 'to'],
    ['groupBy=key,client', 'groupBy'],
    ['groupBy=key,key', 'groupBy'],
    ['format=xml', 'format'],
    ['key=', 'key'],
    ['model=a&model=b', 'model'],
    ['since=2026-01-01', 'since'],
    ['__proto__=x', '__proto__'],
  ])('refuses ?%s and names the parameter', async (query, param) => {
    const backend = await setup.backend(saying('x'));
    const { url } = await start({ OLLAMA_BASE_URL: backend.url });
    const response = await askAsOperator(`${url}/admin/usage?${query}`);
    const { status, body } = await expectAnswer('GET /admin/usage', response);
    expect({ status, param: (body as { error: { param: string } }).error.param }).toEqual({
      status: 400,
      param,
    });
  });

  it('is there again after a restart, also when the last line was torn off', async () => {
    const backend = await setup.backend(saying('x'));
    const folder = await newFolder();
    const first = await start({ OLLAMA_BASE_URL: backend.url }, { folder });
    await (await chat(first.url)).text();
    await first.deps.close();
    const path = join(folder, `usage-${today()}.0.jsonl`);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text + text.slice(0, 30));
    const second = await start({ OLLAMA_BASE_URL: backend.url }, { folder });
    await (await chat(second.url)).text();
    expect((await usage(second.url)).totals.requests).toBe(2);
  });

  it('is kept in memory where its folder cannot be, and the operator is warned once', async () => {
    const backend = await setup.backend(saying('x'));
    const folder = join(await newFolder(), 'file');
    await writeFile(folder, '');
    const { url, logs } = await start({ OLLAMA_BASE_URL: backend.url }, { folder });
    for (let i = 1; i <= 3; i++) {
      await (await chat(url)).text();
      expect((await usage(url)).totals.requests).toBe(i);
    }
    const warnings = logs.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toEqual(['usage cannot be kept: counts stay in memory']);
  });

  it('is not there when it is not counted', async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const { status, body } = await expectAnswer(
      'GET /admin/usage',
      await askAsOperator(`${url}/admin/usage`),
    );
    expect(status).toBe(404);
    expect(JSON.stringify(body)).toContain('USAGE_ENABLED');
  });
});

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
