/** Models that no probe has listed: asked for once, for a while, and never for long. */

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { toBackend } from '../../src/config/load.ts';
import type { Backend, Describe, KindName } from '../../src/core/fleet.ts';
import { createDescribe } from '../../src/node/describe.ts';
import { createSender } from '../../src/node/send.ts';
import { NO_LIMITS } from '../support/fleet.ts';
import type { ScriptedBackend } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';

const setup = createSetup();
const SHOW = 'POST /api/show';

let nowMs = 0;
let sender: ReturnType<typeof createSender>;
let ask: Describe;
beforeEach(() => {
  nowMs = 0;
  sender = createSender();
  ask = createDescribe(
    sender.send,
    () => AbortSignal.timeout(2000),
    () => nowMs,
  );
});
afterEach(() => {
  sender.close();
});

const backendAt = (url: string, kind: KindName = 'ollama'): Backend =>
  toBackend({ name: 'b', kind, url }, NO_LIMITS);

async function start(): Promise<{ server: ScriptedBackend; backend: Backend }> {
  const server = await setup.backend(() => undefined, {
    parameters: 'stop "a"',
    capabilities: ['completion'],
  });
  return { server, backend: backendAt(server.url) };
}

describe('a model', () => {
  it('is asked for once by all that want to know, and once more a minute later', async () => {
    const { server, backend } = await start();
    const both = await Promise.all([ask(backend, 'm'), ask(backend, 'm')]);
    for (const model of both) {
      expect(model).toMatchObject({ name: 'm', capabilities: ['completion'], stops: ['a'] });
    }
    nowMs = 59_999;
    await ask(backend, 'm');
    expect(server.askedFor(SHOW)).toBe(1);
    nowMs = 60_000;
    await ask(backend, 'm');
    expect(server.askedFor(SHOW)).toBe(2);
  });

  it('that cannot be asked for is not known, and asked for again after some seconds', async () => {
    const { server } = await start();
    await server.close();
    expect(await ask(backendAt(server.url), 'm')).toBeUndefined();
    const again = await setup.backend(() => undefined, { port: server.port });
    nowMs = 4999;
    expect(await ask(backendAt(again.url), 'm')).toBeUndefined();
    nowMs = 5000;
    expect(await ask(backendAt(again.url), 'm')).toMatchObject({ name: 'm' });
  });

  it('with no name, or of another kind of server, is not asked for', async () => {
    const { server, backend } = await start();
    expect(await ask(backend, 'x'.repeat(513))).toBeUndefined();
    expect(await ask(backendAt(server.url, 'vllm'), 'm')).toBeUndefined();
    expect(server.askedFor(SHOW)).toBe(0);
  });

  it('is forgotten when a thousand others were asked for', async () => {
    const { server, backend } = await start();
    for (let i = 0; i <= 1000; i++) await ask(backend, `m${String(i)}`);
    await ask(backend, 'm1000');
    expect(server.askedFor(SHOW)).toBe(1001);
    await ask(backend, 'm0');
    expect(server.askedFor(SHOW)).toBe(1002);
  });
});
