/** Which backend a raw request goes to, with all of the gateway around it. */

import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../../src/config/fault.ts';
import { saying, type ScriptedBackend, type Script } from '../support/scripted-backend.ts';
import type { TestGateway } from '../support/gateway.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();

const echo: Script = ({ end, bodyText }) => {
  end(bodyText);
};

interface Fleet {
  readonly gateway: TestGateway;
  /** By name: `first` is the default one, `second` has the model `reranker`, `ollama` has `llama`. */
  readonly backends: Readonly<Record<'first' | 'second' | 'ollama', ScriptedBackend>>;
}

async function startFleet(settings = '', env: Readonly<Record<string, string>> = {}): Promise<Fleet> {
  const first = await setup.backend(echo, { models: ['judge'] });
  const second = await setup.backend(echo, { models: ['reranker'] });
  const ollama = await setup.backend(saying('x'), { models: ['llama'] });
  const gateway = await setup.gateway({
    env,
    file: `
backends:
  - { name: first, kind: vllm, url: "${first.url}" }
  - { name: second, kind: vllm, url: "${second.url}" }
  - { name: ollama, kind: ollama, url: "${ollama.url}" }
models: { mine: { targets: [{ model: reranker }] } }
${settings}`,
  });
  return { gateway, backends: { first, second, ollama } };
}

function calledOf({ backends }: Fleet): string[] {
  return Object.entries(backends).flatMap(([name, { calls }]) => calls.map(({ path }) => `${name} ${path}`));
}

/** Without a length. */
function inChunks(url: string, text: string, contentType = 'application/json'): Promise<Response> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const bytes = new TextEncoder().encode(text);
  void (async () => {
    for (let at = 0; at < bytes.length; at += 100_000) await writer.write(bytes.subarray(at, at + 100_000));
    await writer.close();
  })().catch(() => undefined);
  const headers = { 'content-type': contentType };
  return fetch(url, { method: 'POST', headers, body: readable, duplex: 'half' });
}

function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function errorOf(response: Response): Promise<[status: number, code: string | null]> {
  const { error } = (await response.json()) as { error: { code: string | null } };
  return [response.status, error.code];
}

describe('JSON', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'application/vnd.x+json'])(
    'as %s in chunks goes to the backend that has its model, under its name there',
    async (contentType) => {
      const fleet = await startFleet();
      const response = await inChunks(
        `${fleet.gateway.url}/v1/rerank`,
        '{"query":"Grüße","model":"mine"}',
        contentType,
      );
      expect(await response.text()).toBe('{"query":"Grüße","model":"reranker"}');
      expect(calledOf(fleet)).toEqual(['second /v1/rerank']);
      const [call] = fleet.backends.second.calls;
      expect(call?.headers).toMatchObject({ 'content-type': contentType, 'content-length': '38' });
    },
  );

  it('of more than is looked into goes on as it came, with what was read of it', async () => {
    const fleet = await startFleet('', { BODY_LIMIT: '1mb' });
    const words = Array.from({ length: 400_000 }, (_, i) => String(i)).join(' ');
    const text = JSON.stringify({ model: 'mine', words });
    const response = await inChunks(`${fleet.gateway.url}/v1/rerank`, text);
    const sha = (given: string): string => createHash('sha256').update(given).digest('hex');
    expect(sha(await response.text())).toBe(sha(text));
    expect(calledOf(fleet)).toEqual(['first /v1/rerank']);
    expect(fleet.backends.first.calls[0]?.headers['transfer-encoding']).toBe('chunked');
  });

  it('that is no JSON after all is refused, in chunks too', async () => {
    const fleet = await startFleet();
    const response = await inChunks(`${fleet.gateway.url}/v1/rerank`, '{"model":');
    expect(await errorOf(response)).toEqual([400, null]);
    expect(calledOf(fleet)).toEqual([]);
  });

  it('of nothing at all names no model', async () => {
    const fleet = await startFleet();
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const url = `${fleet.gateway.url}/v1/responses/r/cancel`;
    const status = await new Promise((resolve) => {
      request(url, { method: 'POST', headers }, (res) => {
        resolve(res.resume().statusCode);
      }).end();
    });
    expect(status).toBe(200);
    expect(calledOf(fleet)).toEqual(['first /v1/responses/r/cancel']);
  });

  it('with a model that nobody has is told so, also when an Ollama could be asked', async () => {
    const fleet = await startFleet();
    const ask = (model: string): Promise<Response> =>
      post(`${fleet.gateway.url}/v1/moderations`, { model, input: 'x' });
    expect(await errorOf(await ask('nobody-has-this'))).toEqual([404, 'model_not_found']);
    expect(await errorOf(await ask('ollama/nobody-has-this'))).toEqual([404, 'model_not_found']);
    expect(await errorOf(await ask('llama'))).toEqual([404, 'unknown_url']);
    expect(calledOf(fleet)).toEqual([]);
  });
});

describe('what names no model', () => {
  const SETTINGS = `
passthrough:
  backend: second
  paths: { /v1/files: first, /v1/audio: first, /v1/audio/speech: second }`;

  it.each([
    ['/v1/batches', 'second'],
    ['/v1/files', 'first'],
    ['/v1/files/f/content?x=1', 'first'],
    ['/v1/files-of-others', 'second'],
    ['/v1/audio/voices', 'first'],
    ['/v1/audio/speech', 'second'],
  ])('goes where the operator says: %s to %s', async (path, name) => {
    const fleet = await startFleet(SETTINGS);
    expect((await fetch(`${fleet.gateway.url}${path}`)).status).toBe(200);
    expect(calledOf(fleet)).toEqual([`${name} ${path}`]);
  });

  it('goes where the environment says', async () => {
    const fleet = await startFleet('', { PASSTHROUGH_BACKEND: 'second' });
    await fetch(`${fleet.gateway.url}/v1/batches`);
    expect(calledOf(fleet)).toEqual(['second /v1/batches']);
  });

  it('cannot be sent to a backend that there is not, or that is an Ollama', async () => {
    const refused = startFleet(
      'passthrough: { backend: secnd, paths: { /v1/files: ollama, /files: first } }',
    );
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(
      /passthrough\.backend: there is no backend 'secnd'\. Did you mean 'second'\?[^]*paths\./,
    );
    await expect(refused).rejects.toThrow(/'ollama' is of kind ollama/);
  });
});

it('a raw request that outlasts the drain is told so', async () => {
  const fleet = await startFleet();
  const { first } = fleet.backends;
  first.script(() => undefined);
  const answer = fetch(`${fleet.gateway.url}/v1/batches`);
  await eventually(() => first.calls.length === 1);
  await fleet.gateway.drain(0);
  expect(await errorOf(await answer)).toEqual([503, 'shutting_down']);
});

describe('DELETE of a model', () => {
  const remove = ({ gateway }: Fleet, id: string): Promise<Response> =>
    fetch(`${gateway.url}/v1/models/${id}`, { method: 'DELETE' });

  it.each(['reranker', 'mine', 'second%2Freranker', 'second/reranker'])(
    'goes to the backend that has it, under its name there: %s',
    async (id) => {
      const fleet = await startFleet();
      expect((await remove(fleet, id)).status).toBe(200);
      expect(calledOf(fleet)).toEqual(['second /v1/models/reranker']);
    },
  );

  it('has a name with slashes and colons in one segment', async () => {
    const backend = await setup.backend(echo, { models: ['org/ft:x y:1'] });
    const gateway = await setup.gateway({ env: { OPENAI_BASE_URL: backend.url } });
    const response = await fetch(`${gateway.url}/v1/models/org/ft:x%20y:1`, { method: 'DELETE' });
    expect(response.status).toBe(200);
    expect(backend.calls[0]?.path).toBe('/v1/models/org%2Fft:x%20y:1');
  });

  it('is refused where the backend deletes by other ways, and for what there is not', async () => {
    const fleet = await startFleet();
    const refused = await remove(fleet, 'llama');
    expect(refused.headers.get('allow')).toBe('GET, HEAD');
    expect(await errorOf(refused)).toEqual([405, 'method_not_supported']);
    for (const id of ['nobody-has-this', 'second/nobody-has-this']) {
      expect(await errorOf(await remove(fleet, id))).toEqual([404, 'model_not_found']);
    }
    expect(calledOf(fleet)).toEqual([]);
  });
});
