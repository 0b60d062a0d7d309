/** What a model is not for, or cannot do, is said before it is asked. */

import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { failing, saying, type Script } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();

const IMAGE = {
  messages: [
    {
      role: 'user',
      content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }],
    },
  ],
};

it('a model that the operator keeps for embeddings does not chat', async () => {
  const backend = await setup.backend(saying('x'));
  const gateway = await setup.gateway({
    file: `
backends: [{ name: b, kind: ollama, url: "${backend.url}" }]
models: { m: { type: embedding } }`,
  });
  const response = await gateway.chat();
  expect(await response.json()).toMatchObject({ error: { param: 'model', code: 'unsupported_parameter' } });
  expect(backend.calls).toEqual([]);
});

describe('a model that no probe has listed', () => {
  const TOOLS = { tools: [{ type: 'function', function: { name: 'f' } }] };

  it('is described before it is asked, and not again for a while', async () => {
    const backend = await setup.backend(saying('x'), {
      models: [],
      capabilities: ['completion'],
      parameters: 'stop "<|eot|>"',
    });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url }, isClockStopped: true });
    const refused = await gateway.chat({ model: 'new', ...TOOLS });
    expect(await refused.json()).toMatchObject({ error: { param: 'tools', code: 'unsupported_parameter' } });
    expect(backend.calls).toEqual([]);
    expect((await gateway.chat({ model: 'new', stop: 'END' })).status).toBe(200);
    expect(backend.calls[0]?.body.options).toEqual({ stop: ['END', '<|eot|>'] });
    expect(backend.askedFor('POST /api/show')).toBe(1);
    gateway.advance(60_001);
    await gateway.chat({ model: 'new' });
    expect(backend.askedFor('POST /api/show')).toBe(2);
  });

  it('is asked all the same when its server does not tell', async () => {
    const backend = await setup.backend(saying('x'), { models: [], described: { capabilities: null } });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    expect((await gateway.chat({ model: 'new', ...TOOLS })).status).toBe(200);
  });

  it('of another kind of server is not asked for', async () => {
    const backend = await setup.backend(saying('x'), { models: [] });
    const gateway = await setup.gateway({
      file: `backends: [{ name: v, kind: vllm, url: "${backend.url}" }]`,
    });
    expect((await gateway.chat({ model: 'v/new' })).status).toBe(200);
    expect(backend.askedFor('POST /api/show')).toBe(0);
  });
});

describe('a model that lacks a capability is not asked', () => {
  it.each([
    ['images', ['completion'], IMAGE, 'messages[0].content[0]'],
    ['tools', ['completion'], { tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools'],
    ['chat', ['embedding'], {}, 'model'],
  ])('for %s', async (_, capabilities, members, param) => {
    const backend = await setup.backend(saying('x'), { capabilities });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const response = await gateway.chat(members);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param, code: 'unsupported_parameter' } });
    expect(backend.calls).toEqual([]);
  });

  it('and no image is fetched for it', async () => {
    let fetched = 0;
    const images = createServer((_, res) => {
      fetched++;
      res.end();
    }).listen(0, '127.0.0.1');
    await once(images, 'listening');
    const host = `127.0.0.1:${String((images.address() as AddressInfo).port)}`;
    try {
      const blind = await setup.backend(saying('x'), { capabilities: ['completion'] });
      const gateway = await setup.gateway({
        env: { OLLAMA_BASE_URL: blind.url, IMAGE_ALLOW_HOSTS: host },
      });
      const image = { type: 'image_url', image_url: { url: `http://${host}/cat.png` } };
      const response = await gateway.chat({ messages: [{ role: 'user', content: [image] }] });
      expect(await response.json()).toMatchObject({
        error: { param: 'messages[0].content[0]', code: 'unsupported_parameter' },
      });
      expect(fetched).toBe(0);
    } finally {
      images.close();
      images.closeAllConnections();
    }
  });
});

describe('a server that knows no levels of thinking', () => {
  const NO_LEVELS = { error: 'think value "medium" is not supported for this model' };
  const believing: Script = (call) => {
    if (typeof call.body.think === 'string') return failing(400, NO_LEVELS)(call);
    return saying('x')(call);
  };

  it('is asked once more, to think as it does', async () => {
    const backend = await setup.backend(believing);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const response = await gateway.chat({ reasoning_effort: 'medium' });
    expect(response.status).toBe(200);
    expect(backend.calls.map(({ body }) => body.think)).toEqual(['medium', true]);
    await eventually(() => gateway.deps.pool.inFlight() === 0);
  });

  it('is not asked a third time, and not at all for another refusal', async () => {
    const backend = await setup.backend(failing(400, NO_LEVELS));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const response = await gateway.chat({ reasoning_effort: 'medium' });
    expect(await response.json()).toMatchObject({
      error: { param: 'reasoning_effort', code: 'unsupported_parameter' },
    });
    expect(backend.calls).toHaveLength(2);
    backend.script(failing(400, { error: 'no' }));
    expect((await gateway.chat({ reasoning_effort: 'medium' })).status).toBe(400);
    expect(backend.calls).toHaveLength(3);
  });
});
