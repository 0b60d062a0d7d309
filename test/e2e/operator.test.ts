/** What the operator sees and ends. */

import { describe, expect, it } from '@jest/globals';
import { expectAnswer } from '../contract/answers.ts';
import { ollamaToken, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream, parseStream } from '../support/sse.ts';

const setup = createSetup();
const ADMIN_KEY = 'the-operator-has-a-key-of-32-characters';
const CLIENT_KEY = 'a-client-has-another-key-of-32-characters';
const asOperator = { headers: { authorization: `Bearer ${ADMIN_KEY}` } };
const LIST = 'GET /api/chat/streams';
const CANCEL = 'DELETE /api/chat/{requestId}';

/** To a path that the gateway does not model. */
function passOn(url: string, requestId: string): Promise<Response> {
  return fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': requestId },
    body: '{"model":"m","stream":true,"input":"x"}',
  });
}

describe('the streams going on', () => {
  it('are listed with their totals, and one can be ended', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(saying('x'));
    const { url, chat } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    await (await chat({ stream: true })).text();
    backend.script(async (call) => {
      calls.push(call);
      await call.write(ollamaToken('begun'));
    });
    const headers = { 'content-type': 'application/json', 'x-request-id': 'my.id' };
    const stream = openStream(await chat({ stream: true }, { headers }));
    await stream.until('begun');

    const list = await expectAnswer(LIST, await fetch(`${url}/api/chat/streams`, asOperator));
    expect(list.body).toMatchObject({
      streams: [{ requestId: 'my.id', client: 'anonymous', model: 'm', backend: 'ollama', stream: true }],
      totals: { active: 1, completed: 1, shutdown: 0 },
    });

    const cancel = (): Promise<Response> =>
      fetch(`${url}/api/chat/my.id`, { method: 'DELETE', ...asOperator });
    expect((await expectAnswer(CANCEL, await cancel())).body).toEqual({ requestId: 'my.id', cancelled: 1 });
    const { error, isDone } = parseStream(await stream.rest());
    expect({ code: error?.code, isDone }).toEqual({ code: 'request_cancelled', isDone: false });
    await calls[0]?.closed;

    const gone = await expectAnswer(CANCEL, await cancel());
    expect(gone).toMatchObject({ status: 404, body: { error: { code: 'unknown_request' } } });
  });

  it('that wait for their first token get an answer when they are ended', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const { url, chat } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    const headers = { 'content-type': 'application/json', 'x-request-id': 'waiting' };
    const answer = chat({}, { headers });
    await eventually(() => calls.length === 1);
    await fetch(`${url}/api/chat/waiting`, { method: 'DELETE', ...asOperator });
    const response = await answer;
    expect(response.status).toBe(503);
    expect(response.headers.get('x-should-retry')).toBe('false');
    await calls[0]?.closed;
  });

  it('are those that are passed on raw too, which are broken off when they are ended', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      calls.push(call);
      call.res.setHeader('content-type', 'text/event-stream');
      await call.write('event: response.created\ndata: {}\n\n');
    });
    const { url, metric } = await setup.gateway({ env: { VLLM_BASE_URL: backend.url, ADMIN_KEY } });
    const stream = openStream(await passOn(url, 'raw'));
    await stream.until('response.created');

    const list = await expectAnswer(LIST, await fetch(`${url}/api/chat/streams`, asOperator));
    expect(list.body).toMatchObject({
      streams: [{ requestId: 'raw', client: 'anonymous', model: 'm', backend: 'vllm', stream: true }],
      totals: { active: 1 },
    });
    expect(await metric('ai_gateway_active_streams', { model: 'm', backend: 'vllm' })).toBe(0);

    const cancelled = await fetch(`${url}/api/chat/raw`, { method: 'DELETE', ...asOperator });
    expect((await expectAnswer(CANCEL, cancelled)).status).toBe(200);
    await expect(stream.rest()).rejects.toThrow();
    await calls[0]?.closed;
    const after = await expectAnswer(LIST, await fetch(`${url}/api/chat/streams`, asOperator));
    expect(after.body).toMatchObject({ streams: [] });
  });

  it.each([
    ['for their answer', 'first'],
    ['in the line of their backend', 'second'],
  ])('that are passed on raw and wait %s get an answer when they are ended', async (_, id) => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const { url } = await setup.gateway({
      env: { ADMIN_KEY },
      file: `backends: [{ name: b, kind: vllm, url: "${backend.url}", maxConcurrency: 1 }]`,
    });
    const answers = { first: passOn(url, 'first'), second: undefined as Promise<Response> | undefined };
    await eventually(() => calls.length === 1);
    answers.second = passOn(url, 'second');
    await eventually(async () => {
      const list = await fetch(`${url}/api/chat/streams`, asOperator);
      return (await list.text()).includes('"second"');
    });
    await fetch(`${url}/api/chat/${id}`, { method: 'DELETE', ...asOperator });
    const ended = await (id === 'first' ? answers.first : answers.second);
    expect([ended.status, ended.headers.get('x-should-retry')]).toEqual([503, 'false']);
    expect(await ended.json()).toMatchObject({ error: { code: 'request_cancelled' } });
    if (id === 'first') await eventually(() => calls.length === 2);
    calls.at(-1)?.end('served');
    const other = await (id === 'first' ? answers.second : answers.first);
    expect(await other.text()).toBe('served');
  });

  it("are nobody else's business", async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY, AUTH_KEY: CLIENT_KEY },
    });
    for (const authorization of ['', `Bearer ${CLIENT_KEY}`]) {
      const response = await fetch(`${url}/api/chat/streams`, { headers: { authorization } });
      expect((await expectAnswer(LIST, response)).status).toBe(401);
    }
    // Nor does the operator's key make a client of its holder.
    expect((await fetch(`${url}/v1/models`, asOperator)).status).toBe(401);
  });

  it('cannot be seen when the operator has no key', async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    expect((await expectAnswer(LIST, await fetch(`${url}/api/chat/streams`))).status).toBe(404);
  });
});
