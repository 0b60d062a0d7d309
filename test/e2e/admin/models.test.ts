/** Models in the memory and on the disk of Ollama, at the operator's word. */

import { describe, expect, it } from '@jest/globals';
import { expectAnswer, expectStream } from '../../contract/answers.ts';
import { component, expectToMatch } from '../../contract/schemas.ts';
import { ADMIN_KEY, askAsOperator, OPERATOR } from '../../support/operator.ts';
import { failing, saying, type Script, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { openStream } from '../../support/sse.ts';

const setup = createSetup();
const WARM = 'POST /admin/models/{name}/warm';
const UNLOAD = 'POST /admin/models/{name}/unload';
const PULL = 'POST /admin/models/{name}/pull';

const loading: Script = ({ res }) => {
  res.setHeader('content-type', 'application/json');
  res.end('{"model":"m","done":true,"done_reason":"load"}');
};

const progress = (members: object): string => `${JSON.stringify(members)}\n`;

const pulling: Script = async ({ res, write, end }) => {
  res.setHeader('content-type', 'application/x-ndjson');
  await write(progress({ status: 'pulling manifest' }));
  await write(progress({ status: 'pulling a80c', digest: 'sha256:a80c', total: 100, completed: 40 }));
  end(progress({ status: 'success' }));
};

/** All lines of an answer, each as the contract has it. */
function linesOf(text: string): unknown[] {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  for (const line of lines) expectToMatch(component('PullLine'), line);
  return lines;
}

describe('the list of models', () => {
  it('tells of each name where it leads to, and where it is loaded', async () => {
    const ollama = await setup.backend(saying('x'), { models: ['m', 'b:latest'], resident: ['b:latest'] });
    const vllm = await setup.backend(saying('x'), { models: ['org/m'] });
    const { url } = await setup.gateway({
      env: { OLLAMA_BASE_URL: ollama.url, VLLM_BASE_URL: vllm.url, ADMIN_KEY },
      file: 'models: { small: { type: chat, targets: [{ model: b }] } }',
    });
    const { body } = await expectAnswer('GET /admin/models', await askAsOperator(`${url}/admin/models`));
    const ofOllama = { backend: 'ollama', listed: true, family: 'test' };
    expect(body).toMatchObject({
      models: [
        {
          name: 'small',
          alias: true,
          type: 'chat',
          backends: [{ ...ofOllama, model: 'b:latest', resident: true, digest: 'digest-of-b:latest' }],
        },
        { name: 'm', alias: false, type: null, backends: [{ ...ofOllama, model: 'm', resident: false }] },
        { name: 'b:latest', backends: [{ resident: true }] },
        { name: 'org/m', backends: [{ backend: 'vllm', resident: null, digest: null }] },
      ],
    });
  });
});

describe('warming a model', () => {
  it('loads it with what the operator fixed for it, on every Ollama that has it', async () => {
    const [a, b] = [await setup.backend(loading), await setup.backend(loading, { models: ['else'] })];
    const { url } = await setup.gateway({
      env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY },
      file: 'models: { m: { options: { num_ctx: 8192, keep_alive: 10m, think: false } } }',
    });
    const response = await askAsOperator(`${url}/admin/models/m/warm`, 'POST');
    expect((await expectAnswer(WARM, response)).body).toMatchObject({
      model: 'm',
      results: [{ backend: 'ollama', model: 'm', status: 'loaded' }],
    });
    expect(a.calls.map(({ path, body }) => [path, body])).toEqual([
      [
        '/api/chat',
        { model: 'm', messages: [], stream: false, options: { num_ctx: 8192 }, keep_alive: '10m' },
      ],
    ]);
    expect(b.calls).toHaveLength(0);
  });

  it('takes how long it is to stay, and names with slashes and colons', async () => {
    const backend = await setup.backend(loading, { models: ['hf.co/org/m:Q4'] });
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    for (const name of ['hf.co/org/m:Q4', 'hf.co%2Forg%2Fm:Q4', 'ollama/hf.co/org/m:Q4']) {
      for (const keepAlive of ['30m', -1]) {
        const response = await askAsOperator(`${url}/admin/models/${name}/warm`, 'POST', { keepAlive });
        expect((await expectAnswer(WARM, response)).status).toBe(200);
        expect(backend.calls.at(-1)?.body).toMatchObject({ model: 'hf.co/org/m:Q4', keep_alive: keepAlive });
      }
    }
  });

  it('loads a model that only makes vectors by its own endpoint', async () => {
    const backend = await setup.backend(loading, { capabilities: ['embedding'] });
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    await askAsOperator(`${url}/admin/models/m/warm`, 'POST', {});
    expect(backend.calls.map(({ path, body }) => [path, body])).toEqual([
      ['/api/embed', { model: 'm', input: [] }],
    ]);
  });

  it('tells of the backend on which it failed, and fails itself when there is no other', async () => {
    const a = await setup.backend(failing(500, { error: 'model requires more system memory' }));
    const b = await setup.backend(loading);
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY } });
    const both = await expectAnswer(WARM, await askAsOperator(`${url}/admin/models/m/warm`, 'POST'));
    expect(both).toMatchObject({
      status: 200,
      body: {
        results: [
          { backend: 'ollama', status: 'failed', error: { code: 'upstream_error' } },
          { backend: 'ollama-2', status: 'loaded' },
        ],
      },
    });
    const wish = { backend: 'ollama' };
    const alone = await expectAnswer(WARM, await askAsOperator(`${url}/admin/models/m/warm`, 'POST', wish));
    expect(alone).toMatchObject({ status: 502, body: { error: { code: 'upstream_error' } } });
  });

  it('is stopped when the operator leaves', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const leaving = new AbortController();
    const answer = fetch(`${url}/admin/models/m/warm`, {
      method: 'POST',
      headers: OPERATOR,
      signal: leaving.signal,
    });
    await eventually(() => calls.length === 1);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await calls[0]?.closed;
  });

  it.each([
    [{ keepAlive: 'soon' }, 'keepAlive', 'invalid_value'],
    [{ keepAlive: 1.5 }, 'keepAlive', 'invalid_type'],
    [{ keepAlive: -2 }, 'keepAlive', 'integer_below_min_value'],
    [{ backend: 7 }, 'backend', 'invalid_type'],
    [{ backend: '' }, 'backend', 'empty_string'],
    [{ model: 'm' }, 'model', 'unknown_parameter'],
    [[], null, null],
  ])('refuses %j', async (body, param, code) => {
    const backend = await setup.backend(loading);
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const response = await askAsOperator(`${url}/admin/models/m/warm`, 'POST', body);
    expect((await expectAnswer(WARM, response)).body).toMatchObject({ error: { param, code } });
    expect(response.status).toBe(400);
    expect(backend.calls).toHaveLength(0);
  });
});

describe('unloading a model', () => {
  it('asks for it with no time to stay', async () => {
    const backend = await setup.backend(loading);
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const response = await askAsOperator(`${url}/admin/models/m/unload`, 'POST');
    expect((await expectAnswer(UNLOAD, response)).body).toMatchObject({ results: [{ status: 'unloaded' }] });
    expect(backend.calls.map(({ path, body }) => [path, body])).toEqual([
      ['/api/chat', { model: 'm', messages: [], stream: false, keep_alive: 0 }],
    ]);
  });

  it('is seen at once', async () => {
    const resident = ['m'];
    const backend = await setup.backend(
      (call) => {
        resident.pop();
        void loading(call);
      },
      { resident },
    );
    const { url } = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY },
      isClockStopped: true,
    });
    const isLoaded = async (): Promise<unknown> => {
      const { models } = (await (await askAsOperator(`${url}/admin/models`)).json()) as {
        models: { backends: { resident: boolean }[] }[];
      };
      return models[0]?.backends[0]?.resident;
    };
    expect(await isLoaded()).toBe(true);
    await askAsOperator(`${url}/admin/models/m/unload`, 'POST');
    expect(await isLoaded()).toBe(false);
  });
});

describe('what other kinds cannot do', () => {
  it.each(['warm', 'unload', 'pull'])('%s says so, and sends nothing', async (what) => {
    const backend = await setup.backend(loading);
    const { url } = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, ADMIN_KEY } });
    const ask = (body: object): Promise<Response> =>
      askAsOperator(`${url}/admin/models/m/${what}`, 'POST', body);
    for (const body of [{}, { backend: 'vllm' }]) {
      const { status, body: told } = await expectAnswer(`POST /admin/models/{name}/${what}`, await ask(body));
      expect(status).toBe(400);
      expect(told).toMatchObject({ error: { param: 'backend', code: 'unsupported_by_backend' } });
    }
    const nowhere = await expectAnswer(`POST /admin/models/{name}/${what}`, await ask({ backend: 'no' }));
    expect(nowhere).toMatchObject({ status: 404, body: { error: { code: 'unknown_backend' } } });
    expect(backend.calls).toHaveLength(0);
  });

  it('a backend that does not have the model is no place to load it', async () => {
    const a = await setup.backend(loading);
    const b = await setup.backend(loading, { models: ['other'] });
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY } });
    const wish = { backend: 'ollama-2' };
    const response = await askAsOperator(`${url}/admin/models/m/warm`, 'POST', wish);
    expect(await expectAnswer(WARM, response)).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found' } },
    });
  });
});

describe('pulling a model', () => {
  it('tells the progress of every Ollama as it comes, and at last what has become of it', async () => {
    const [a, b] = [await setup.backend(pulling), await setup.backend(pulling)];
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY } });
    const response = await askAsOperator(`${url}/admin/models/org/new:1b/pull`, 'POST', { insecure: true });
    const { body } = await expectAnswer(PULL, response);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const lines = linesOf(body as string);
    for (const backend of ['ollama', 'ollama-2']) {
      expect(lines.filter((line) => (line as { backend?: string }).backend === backend)).toEqual([
        { backend, status: 'pulling manifest' },
        { backend, status: 'pulling a80c', digest: 'sha256:a80c', totalBytes: 100, completedBytes: 40 },
        { backend, status: 'success' },
      ]);
    }
    expect(lines.at(-1)).toMatchObject({
      done: true,
      results: [
        { backend: 'ollama', status: 'pulled' },
        { backend: 'ollama-2', status: 'pulled' },
      ],
    });
    expect(a.calls[0]).toMatchObject({
      path: '/api/pull',
      body: { model: 'org/new:1b', stream: true, insecure: true },
    });
  });

  it('shows each step when it is made, and stops when the operator leaves', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      calls.push(call);
      await call.write(progress({ status: 'pulling manifest' }));
    });
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const leaving = new AbortController();
    const response = await fetch(`${url}/admin/models/m/pull`, {
      method: 'POST',
      headers: OPERATOR,
      signal: leaving.signal,
    });
    const stream = openStream(response);
    await stream.until('pulling manifest');
    await calls[0]?.write(progress({ status: 'pulling a80c', total: 9, completed: 3 }));
    await stream.until('"completedBytes":3');
    leaving.abort();
    await calls[0]?.closed;
    await expect(stream.rest()).rejects.toThrow();
  });

  it('comes as server-sent events when they are asked for', async () => {
    const backend = await setup.backend(pulling);
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const response = await fetch(`${url}/admin/models/m/pull`, {
      method: 'POST',
      headers: { ...OPERATOR, accept: 'text/event-stream' },
    });
    const { events } = await expectStream(PULL, response);
    expect(events).toHaveLength(4);
    expect(events.at(-1)).toMatchObject({ done: true });
  });

  it('goes on elsewhere when one backend fails, and says which one, without addresses', async () => {
    const a = await setup.backend(async (call) => {
      await call.write(progress({ status: 'pulling manifest' }));
      call.end(
        progress({ error: 'Get "https://registry.internal/v2/": lookup registry.internal: no such host' }),
      );
    });
    const b = await setup.backend(pulling);
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY } });
    const response = await askAsOperator(`${url}/admin/models/m/pull`, 'POST');
    const text = (await expectAnswer(PULL, response)).body as string;
    const error = { code: 'upstream_error' };
    expect(linesOf(text)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ backend: 'ollama', error: expect.objectContaining(error) }),
      ]),
    );
    expect(linesOf(text).at(-1)).toMatchObject({
      results: [
        { backend: 'ollama', status: 'failed', error },
        { backend: 'ollama-2', status: 'pulled' },
      ],
    });
    expect(text).not.toContain('https://');
  });

  it.each<readonly [string, Script, string]>([
    ['is refused', failing(400, { error: 'invalid model name' }), 'null'],
    ['breaks off', ({ reset }) => reset(), 'upstream_connection_error'],
    ['ends too early', ({ end }) => end(), 'upstream_incomplete_response'],
    ['is no progress', ({ end }) => end('{"hello":1}\n'), 'upstream_invalid_response'],
    ['never ends a line', ({ end }) => end('x'.repeat(100_000)), 'upstream_invalid_response'],
  ])('that %s before any progress is an error with a status', async (_name, script, code) => {
    const backend = await setup.backend(script);
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const response = await askAsOperator(`${url}/admin/models/m/pull`, 'POST');
    const { status, body } = await expectAnswer(PULL, response);
    expect(status).toBe(code === 'null' ? 400 : 502);
    expect(String((body as { error: { code: string | null } }).error.code)).toBe(code);
  });

  it('that falls silent is given up', async () => {
    const backend = await setup.backend(async ({ write }) => write(progress({ status: 'pulling manifest' })));
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY },
      isClockStopped: true,
    });
    const stream = openStream(await askAsOperator(`${gateway.url}/admin/models/m/pull`, 'POST'));
    await stream.until('manifest');
    gateway.advance(0);
    gateway.advance(600_000);
    expect(linesOf(await stream.rest()).at(-1)).toMatchObject({
      done: true,
      results: [{ status: 'failed', error: { code: 'upstream_idle_timeout' } }],
    });
  });

  it('of an alias is one of the models that it leads to', async () => {
    const [a, b] = [await setup.backend(pulling), await setup.backend(pulling)];
    const { url } = await setup.gateway({
      env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY },
      file: 'models: { default: { targets: [{ model: "new:1b", backend: ollama-2 }] } }',
    });
    await (await askAsOperator(`${url}/admin/models/default/pull`, 'POST')).text();
    expect(a.calls).toHaveLength(0);
    expect(b.calls.map(({ body }) => body.model)).toEqual(['new:1b']);
  });
});
