/** A backend that was away comes back: one request tries, then all. Time is the test's own. */

import { describe, expect, it } from '@jest/globals';
import type { TestGateway } from '../../support/gateway.ts';
import { saying, type ScriptedBackend, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { OLLAMA, preferring, SPEECHES } from '../../support/speech.ts';

const setup = createSetup();
const OPEN_MS = 1000;
const RAMP_MS = 10_000;
const env = { CIRCUIT_OPEN_MS: String(OPEN_MS), CIRCUIT_RAMP_MS: String(RAMP_MS) };

/** The same place, and a backend in it that answers when the test says so. */
async function comeBack(port: number): Promise<{ backend: ScriptedBackend; calls: ScriptedCall[] }> {
  const calls: ScriptedCall[] = [];
  const backend = await setup.backend((call) => void calls.push(call), { port });
  return { backend, calls };
}

/** What was held is answered, and what comes later at once. */
function answerAll(backend: ScriptedBackend, calls: ScriptedCall[]): void {
  backend.script(saying('fine'));
  for (const call of calls.splice(0)) void saying('fine')(call);
}

function ask(gateway: TestGateway, count: number): Promise<Response>[] {
  return Array.from({ length: count }, (_, i) => gateway.chat({ stream: i % 2 === 0 }));
}

async function statusesOf(answers: readonly Promise<Response>[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const answer of answers) {
    const { status } = await answer;
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}

describe.each(SPEECHES)('the only backend (%s) that comes back', (_, speech) => {
  it('is tried by one of 200 requests; when it answers, all are served', async () => {
    const gone = await setup.backend(saying('x'));
    const gateway = await setup.gateway({
      env: { ...env, [speech.variable]: gone.url, QUEUE_SIZE: '200' },
      isClockStopped: true,
    });
    await gone.close();
    expect((await gateway.chat()).status).toBe(503);
    const { backend, calls } = await comeBack(gone.port);
    gateway.advance(OPEN_MS);
    const answers = ask(gateway, 200);
    await eventually(() => gateway.active() === 200 && calls.length > 0);
    expect(await gateway.metric('ai_gateway_circuit_state', { backend: speech.kind })).toBe(1);
    expect(calls).toHaveLength(1);
    answerAll(backend, calls);
    expect(await statusesOf(answers)).toEqual(new Map([[200, 200]]));
    expect(await gateway.metric('ai_gateway_circuit_state', { backend: speech.kind })).toBe(0);
  });
});

describe('a backend that comes back beside others', () => {
  it('gets one of 200 requests until that is answered', async () => {
    const gone = await setup.backend(saying('x'));
    const good = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({
      env,
      file: preferring(OLLAMA, gone.url, good.url),
      isClockStopped: true,
    });
    await gone.close();
    expect((await gateway.chat()).status).toBe(200);
    const { backend, calls } = await comeBack(gone.port);
    expect(await statusesOf(ask(gateway, 20))).toEqual(new Map([[200, 20]]));
    expect(calls).toHaveLength(0); // its time is not over
    gateway.advance(OPEN_MS);
    // It goes first, however bad its record is: without a rush it would never be tried.
    const [trial] = ask(gateway, 1);
    await eventually(() => calls.length === 1);
    const answers = [...(trial ? [trial] : []), ...ask(gateway, 199)];
    await eventually(() => good.calls.length === 220);
    expect(calls).toHaveLength(1);
    answerAll(backend, calls);
    expect(await statusesOf(answers)).toEqual(new Map([[200, 200]]));
  });

  it('is back with the next probe, also when it was found to be down by one', async () => {
    const gone = await setup.backend(saying('x'));
    const good = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({
      env: { ...env, CIRCUIT_RAMP_MS: '0', CIRCUIT_OPEN_MS: '86400000' },
      file: preferring(OLLAMA, gone.url, good.url),
      isClockStopped: true,
    });
    await gone.close();
    await gateway.deps.prober.probeAll();
    expect(await gateway.metric('ai_gateway_backend_up', { backend: 'first' })).toBe(0);
    const backend = await setup.backend(saying('fine'), { port: gone.port });
    expect(await statusesOf(ask(gateway, 10))).toEqual(new Map([[200, 10]]));
    expect(backend.calls).toHaveLength(0);
    await gateway.deps.prober.probeAll();
    for (const answer of ask(gateway, 3)) expect((await answer).status).toBe(200);
    expect(backend.calls.length).toBeGreaterThan(0);
    const before = backend.calls.length;
    expect(await statusesOf(ask(gateway, 10))).toEqual(new Map([[200, 10]]));
    expect(backend.calls.length - before).toBe(10); // it is the preferred one again
  });

  it('gets its share by degrees', async () => {
    const gone = await setup.backend(saying('x'));
    const others = await setup.backend(saying('x'));
    const gateway = await setup.gateway({
      env: { ...env, OLLAMA_BASE_URL: `${gone.url},${others.url}` },
      isClockStopped: true,
    });
    await gone.close();
    await eventually(async () => {
      await gateway.chat();
      return (await gateway.metric('ai_gateway_circuit_state', { backend: 'ollama' })) === 2;
    });
    const { backend, calls } = await comeBack(gone.port);
    gateway.advance(OPEN_MS);
    answerAll(backend, calls);
    await eventually(async () => {
      await gateway.chat();
      return (await gateway.metric('ai_gateway_circuit_state', { backend: 'ollama' })) === 0;
    });
    /** Of twenty that are asked for at the same time, those that it gets. */
    async function share(): Promise<number> {
      const held: ScriptedCall[] = [];
      const elsewhere: ScriptedCall[] = [];
      backend.script((call) => void held.push(call));
      others.script((call) => void elsewhere.push(call));
      const answers = ask(gateway, 20);
      await eventually(() => held.length + elsewhere.length === 20);
      const count = held.length;
      answerAll(backend, held);
      answerAll(others, elsewhere);
      await Promise.all(answers.map(async (answer) => (await answer).text()));
      return count;
    }
    expect(await share()).toBeLessThanOrEqual(2);
    gateway.advance(RAMP_MS);
    expect(await share()).toBeGreaterThanOrEqual(7); // its failure is not quite forgotten
  });
});

describe('the one request that tries', () => {
  it('hands its place on when its client leaves: nobody who waits is turned away for that', async () => {
    const gone = await setup.backend(saying('x'));
    const gateway = await setup.gateway({
      env: { ...env, OLLAMA_BASE_URL: gone.url },
      isClockStopped: true,
    });
    await gone.close();
    expect((await gateway.chat()).status).toBe(503);
    const { backend, calls } = await comeBack(gone.port);
    gateway.advance(OPEN_MS);
    const leaving = new AbortController();
    const first = gateway.chat({ stream: true }, { signal: leaving.signal });
    await eventually(() => calls.length === 1);
    const waiting = ask(gateway, 5);
    await eventually(() => gateway.active() === 6);
    leaving.abort();
    await expect(first).rejects.toThrow();
    await eventually(() => calls.length === 2 || gateway.active() === 0);
    expect(calls).toHaveLength(2);
    answerAll(backend, calls);
    expect(await statusesOf(waiting)).toEqual(new Map([[200, 5]]));
  });

  it('fails: who waits for it is told at once, and the next request tries', async () => {
    const gone = await setup.backend(saying('x'));
    const gateway = await setup.gateway({
      env: { ...env, OLLAMA_BASE_URL: gone.url },
      isClockStopped: true,
    });
    await gone.close();
    expect((await gateway.chat()).status).toBe(503);
    const { backend, calls } = await comeBack(gone.port);
    const answers = ask(gateway, 6);
    await eventually(() => gateway.active() === 6 && calls.length === 1);
    calls[0]?.res.writeHead(500, { 'content-type': 'application/json' }).end('{"error":"not yet"}');
    expect(await statusesOf(answers)).toEqual(
      new Map([
        [502, 1],
        [503, 5],
      ]),
    );
    backend.script(saying('fine'));
    expect((await gateway.chat()).status).toBe(200);
  });
});
