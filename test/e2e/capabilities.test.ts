/** What a model is not for, or cannot do, is said before it is asked. */

import { describe, expect, it } from '@jest/globals';
import { saying } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

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
});
