/** Requests for a backend that has as many as it may: they wait in line, or are told so. */

import { describe, expect, it } from '@jest/globals';
import type { TestGateway } from '../support/gateway.ts';
import {
  ollamaDone,
  ollamaToken,
  type ScriptedBackend,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();

interface Busy {
  readonly backend: ScriptedBackend;
  readonly gateway: TestGateway;
  /** What the backend is working on, in order of arrival. */
  readonly calls: readonly ScriptedCall[];
}

/** A backend with one slot, whose calls end when the test says so. */
async function start(queue: number, queueTimeoutMs = 60_000): Promise<Busy> {
  const calls: ScriptedCall[] = [];
  const backend = await setup.backend((call) => void calls.push(call));
  const gateway = await setup.gateway({
    file: `
limits: { queueTimeoutMs: ${String(queueTimeoutMs)} }
backends: [{ name: b, kind: ollama, url: "${backend.url}", maxConcurrency: 1, queue: ${String(queue)} }]`,
  });
  return { backend, gateway, calls };
}

const question = (text: string): object => ({ messages: [{ role: 'user', content: text }] });
const askedOf = ({ body }: ScriptedCall): unknown => (body.messages as { content: string }[])[0]?.content;
const answer = (call: ScriptedCall | undefined): void => call?.end(ollamaToken('x') + ollamaDone());
const overloaded = { error: { code: 'server_overloaded' } };

describe('a busy backend', () => {
  it('serves those who wait in order of arrival', async () => {
    const { gateway, calls } = await start(2);
    const answers = [];
    for (const text of ['first', 'second', 'third']) {
      answers.push(gateway.chat({ ...question(text) }));
      // Each is in line before the next one comes.
      await eventually(() => gateway.deps.status()[0]?.inFlight === 1 && gateway.active() === answers.length);
    }
    for (let i = 0; i < 3; i++) {
      await eventually(() => calls.length === i + 1);
      answer(calls[i]);
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(calls.map(askedOf)).toEqual(['first', 'second', 'third']);
  });

  it('refuses who finds the line full, and who may not wait', async () => {
    const { gateway, calls } = await start(1);
    const answers = [gateway.chat(), gateway.chat()];
    await eventually(() => gateway.active() === 2);
    const refused = await gateway.chat();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject(overloaded);
    for (let i = 0; i < 2; i++) {
      await eventually(() => calls.length === i + 1);
      answer(calls[i]);
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it('refuses who has waited too long, and the place in line is free again', async () => {
    const { gateway, calls } = await start(1, 50);
    const first = gateway.chat();
    await eventually(() => calls.length === 1);
    for (let i = 0; i < 2; i++) {
      const refused = await gateway.chat();
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject(overloaded);
    }
    answer(calls[0]);
    expect((await first).status).toBe(200);
  });

  it('forgets who left the line', async () => {
    const { gateway, calls } = await start(1);
    const first = gateway.chat();
    await eventually(() => calls.length === 1);
    const leaving = new AbortController();
    const second = gateway.chat({}, { signal: leaving.signal });
    await eventually(() => gateway.active() === 2);
    leaving.abort();
    await expect(second).rejects.toThrow();
    await eventually(() => gateway.active() === 1);
    const third = gateway.chat({ ...question('third') });
    await eventually(() => gateway.active() === 2);
    answer(calls[0]);
    await eventually(() => calls.length === 2);
    expect(calls.map(askedOf)).toEqual(['hi', 'third']);
    answer(calls[1]);
    expect([(await first).status, (await third).status]).toEqual([200, 200]);
    expect(gateway.deps.status()[0]?.inFlight).toBe(0);
  });
});
