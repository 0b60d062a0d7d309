/** Where requests go, with each kind of backend: raw ones, and those of a backend that fails. */

import { describe, expect, it } from '@jest/globals';
import { KINDS } from '../../src/core/fleet.ts';
import { failing, saying, type Script } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { readStream } from '../support/sse.ts';
import { inFrontOf, OPENAI_KINDS } from './fleet-of-one.ts';
import { proves } from './proves.ts';

const setup = createSetup();

const listening: Script = ({ end }) => {
  end('{"object":"list","data":[]}');
};

describe.each(KINDS)('a backend of kind %s', (kind) => {
  it('that fails before its first token is made up for by another', async () => {
    const broken = await setup.backend(failing(500, { error: { message: 'out of memory' } }));
    const well = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({
      file: `
backends:
  - { name: broken, kind: ${kind}, url: "${broken.url}", weight: 1000 }
  - { name: well, kind: ${kind}, url: "${well.url}" }`,
    });
    const stream = await readStream(await gateway.chat({ stream: true }));
    expect(stream).toMatchObject({ text: 'fine', isDone: true });
    expect([broken.calls.length, well.calls.length]).toEqual([1, 1]);
    proves('failover', kind, 'yes');
  });
});

describe.each(OPENAI_KINDS)('a backend of kind %s', (kind) => {
  it('gets what names its model, under its name there', async () => {
    const { post, backend } = await inFrontOf(
      setup,
      kind,
      listening,
      'models: { mine: { targets: [{ model: m }] } }',
    );
    expect((await post('/v1/rerank', { model: 'mine', query: 'x' })).status).toBe(200);
    expect(backend.calls[0]?.bodyText).toBe('{"model":"m","query":"x"}');
    proves('rawWithModel', kind, 'yes');
  });
});

describe('what names no model', () => {
  it.each(['openai', 'vllm'] as const)('goes to a backend of kind %s', async (kind) => {
    const { url, backend } = await inFrontOf(setup, kind, listening);
    expect((await fetch(`${url}/v1/files`)).status).toBe(200);
    expect(backend.calls).toHaveLength(1);
    proves('rawWithout', kind, 'yes');
  });

  it.each(['llamacpp', 'lmstudio'] as const)('goes to a backend of kind %s if it is named', async (kind) => {
    const unnamed = await inFrontOf(setup, kind, listening);
    expect((await fetch(`${unnamed.url}/v1/files`)).status).toBe(404);
    const named = await inFrontOf(setup, kind, listening, 'passthrough: { backend: b }');
    expect((await fetch(`${named.url}/v1/files`)).status).toBe(200);
    expect([unnamed.backend.calls.length, named.backend.calls.length]).toEqual([0, 1]);
    proves('rawWithout', kind, 'by setting');
  });

  it('goes to no Ollama, nor does what names its model', async () => {
    const { url, post, backend } = await inFrontOf(setup, 'ollama', listening);
    const unknown = { error: { code: 'unknown_url' } };
    expect(await (await fetch(`${url}/v1/files`)).json()).toMatchObject(unknown);
    expect(await post('/v1/rerank', { model: 'm' })).toMatchObject({ status: 404, body: unknown });
    expect(backend.calls).toHaveLength(0);
    proves('rawWithout', 'ollama', 'no');
    proves('rawWithModel', 'ollama', 'no');
  });
});
