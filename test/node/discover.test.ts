/** What the gateway learns of its backends. */

import { describe, expect, it } from '@jest/globals';
import { createDiscover } from '../../src/node/discover.ts';
import { stopsOf } from '../../src/node/ollama-model.ts';
import { createSender } from '../../src/node/send.ts';
import { toBackend } from '../../src/config/load.ts';
import type { Discovery, KindName } from '../../src/core/fleet.ts';
import { NO_LIMITS } from '../support/fleet.ts';
import { createSetup } from '../support/setup.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const setup = createSetup();

async function discover(kind: KindName, url: string): Promise<Discovery> {
  const sender = createSender();
  try {
    return await createDiscover(sender.send)(
      toBackend({ name: 'b', kind, url }, NO_LIMITS),
      AbortSignal.timeout(2000),
    );
  } finally {
    sender.close();
  }
}

describe('discovery', () => {
  it('of Ollama learns models, version, capabilities and stop strings', async () => {
    const backend = await setup.backend(() => undefined, {
      models: ['llama3.2:latest', 'hf.co/bartowski/x:Q4'],
      capabilities: ['completion', 'tools'],
      parameters: 'num_ctx                        8192\nstop                           "<|eot_id|>"',
    });
    const { models, version } = await discover('ollama', backend.url);
    expect(version).toBe('0.33.0');
    expect([...models.values()]).toMatchObject([
      {
        name: 'llama3.2:latest',
        ownedBy: 'library',
        created: 1767225600,
        capabilities: ['completion', 'tools'],
        family: 'test',
        stops: ['<|eot_id|>'],
      },
      { name: 'hf.co/bartowski/x:Q4', ownedBy: 'hf.co/bartowski' },
    ]);
  });

  it('of Ollama learns what a model is told first, and who else runs it', async () => {
    const described = { system: 'You are a pirate.', remote_model: 'x', remote_host: 'https://ollama.com' };
    const backend = await setup.backend(() => undefined, { described });
    const { models } = await discover('ollama', backend.url);
    expect(models.get('m')).toMatchObject({ system: 'You are a pirate.', isRemote: true });
    const plain = await setup.backend(() => undefined);
    const other = (await discover('ollama', plain.url)).models.get('m');
    expect(other).not.toHaveProperty('isRemote');
    expect(other).not.toHaveProperty('system');
  });

  it('of an OpenAI-compatible server learns its models', async () => {
    const backend = await setup.backend(() => undefined, { models: ['a/b', 'c'] });
    const { models } = await discover('vllm', backend.url);
    expect([...models.keys()]).toEqual(['a/b', 'c']);
  });

  it.each([
    ['an HTML page', 'text/html', '<html>hello</html>'],
    ['some other JSON', 'application/json', '{"hello":"world"}'],
    ['a model list that is none', 'application/json', '{"data":"none"}'],
  ])('takes %s for no model server', async (_, type, body) => {
    const server = createServer((_req, res) => res.setHeader('content-type', type).end(body)).listen(
      0,
      '127.0.0.1',
    );
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    await expect(discover('vllm', url)).rejects.toThrow();
    await expect(discover('ollama', url)).rejects.toThrow();
    server.close();
    server.closeAllConnections();
  });

  it('fails where nobody listens', async () => {
    await expect(discover('ollama', 'http://127.0.0.1:1')).rejects.toMatchObject({
      reason: 'upstream_unavailable',
    });
  });
});

describe('stop strings', () => {
  it.each([
    ['', []],
    ['stop "a"\nstop "b \\" c"\ntemperature 1', ['a', 'b " c']],
    ['stop    <|end|>', ['<|end|>']],
  ])('of %j are %j', (parameters, stops) => {
    expect(stopsOf(parameters)).toEqual(stops);
  });

  it('are found in no time among any number of blanks', () => {
    const startedMs = performance.now();
    expect(stopsOf(`stop${' '.repeat(60_000)}a${' '.repeat(60_000)}b`)).toHaveLength(1);
    expect(stopsOf(`stop${' '.repeat(60_000)}`)).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(300);
  });
});
