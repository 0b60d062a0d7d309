/** Backends as the operator sees them, takes them out of choice and back in, and asks about the choice. */

import { describe, expect, it } from '@jest/globals';
import { expectAnswer } from '../../contract/answers.ts';
import type { LogLine, TestGateway } from '../../support/gateway.ts';
import { ADMIN_KEY, askAsOperator } from '../../support/operator.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';

const setup = createSetup();
const STATES = 'GET /admin/backends';
const EXPLAIN = 'POST /admin/route/explain';

interface State {
  readonly name: string;
  readonly drained: boolean;
  readonly inFlight: number;
  readonly queued: number;
}

interface Candidate {
  readonly backend: string;
  readonly rejected: string | null;
  readonly score: { readonly value: number } | null;
}

async function states(url: string): Promise<State[]> {
  const { body } = await expectAnswer(STATES, await askAsOperator(`${url}/admin/backends`));
  return (body as { backends: State[] }).backends;
}

const order = (url: string, what: string): Promise<Response> =>
  askAsOperator(`${url}/admin/backends/${what}`, 'POST');

async function explain(url: string, body: object): Promise<{ chosen: string[]; candidates: Candidate[] }> {
  const response = await askAsOperator(`${url}/admin/route/explain`, 'POST', body);
  return (await expectAnswer(EXPLAIN, response)).body as { chosen: string[]; candidates: Candidate[] };
}

const twoOllamas = (a: string, b: string): { env: Record<string, string> } => ({
  env: { OLLAMA_BASE_URL: `${a},${b}`, ADMIN_KEY },
});

describe('the state of the backends', () => {
  it('tells what goes on, and what the probes have learned', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call), { resident: ['m'] });
    const { url, chat } = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY, BACKEND_CONCURRENCY: '1', QUEUE_SIZE: '4' },
    });
    const answers = [chat(), chat(), chat()];
    await eventually(async () => (await states(url))[0]?.queued === 2);
    expect(await states(url)).toEqual([
      {
        name: 'ollama',
        group: 'ollama',
        kind: 'ollama',
        up: true,
        circuit: 'closed',
        drained: false,
        weight: 1,
        inFlight: 1,
        queued: 2,
        slots: 1,
        load: null,
        models: 1,
        resident: ['m'],
        version: '0.33.0',
      },
    ]);
    backend.script(saying('x'));
    calls[0]?.end(ollamaToken('x') + ollamaDone());
    for (const answer of answers) expect((await answer).status).toBe(200);
  });
});

describe('a drain', () => {
  it('and a resume under load fail no request, and nothing new comes in between', async () => {
    const [a, b] = [await setup.backend(saying('a')), await setup.backend(saying('b'))];
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY, BACKEND_CONCURRENCY: '4' },
    });
    const { url } = gateway;
    const load = startLoad(gateway, 12);
    await eventually(() => a.calls.length > 10 && b.calls.length > 10);

    const drained = await order(url, 'ollama/drain');
    expect((await expectAnswer('POST /admin/backends/{name}/drain', drained)).body).toMatchObject({
      backends: [{ name: 'ollama', drained: true }],
    });
    await eventually(async () => {
      const [state] = await states(url);
      return state?.inFlight === 0 && state.queued === 0;
    });
    const { length: atRest } = a.calls;
    const { length: before } = b.calls;
    await eventually(() => b.calls.length > before + 50);
    expect(a.calls.length).toBe(atRest);

    const resumed = await order(url, 'ollama/resume');
    await expectAnswer('POST /admin/backends/{name}/resume', resumed);
    await eventually(() => a.calls.length > atRest + 10);
    const { sent, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(80);
  });

  it('survives a reload, and of all there is nothing is ready', async () => {
    const backend = await setup.backend(saying('x'));
    const { url, chat, reload } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    await order(url, 'ollama/drain');
    expect(await reload()).toMatchObject({ isApplied: true });
    expect((await states(url)).map(({ drained }) => drained)).toEqual([true]);
    expect((await chat()).status).toBe(503);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    await order(url, 'ollama/resume');
    expect((await chat()).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('is in the log with the name of the backend and of who wanted it', async () => {
    const backend = await setup.backend(saying('x'));
    const { url, logs } = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, ADMIN_KEY } });
    await (await order(url, 'ollama/drain')).text();
    const line = (): LogLine | undefined => logs.find(({ message }) => message === 'request');
    await eventually(() => line() !== undefined);
    expect(line()?.fields).toMatchObject({
      route: '/admin/backends/:name/drain',
      client: 'admin',
      subject: 'ollama',
    });
  });

  it('keeps raw requests away as well', async () => {
    const [a, b] = [await setup.backend(saying('a')), await setup.backend(saying('b'))];
    const { url } = await setup.gateway({ env: { OPENAI_BASE_URL: `${a.url},${b.url}`, ADMIN_KEY } });
    const list = (): Promise<Response> => fetch(`${url}/v1/files`);
    await list();
    await order(url, 'openai/drain');
    await list();
    expect([a.calls.length, b.calls.length]).toEqual([1, 1]);
  });
});

describe('an explanation', () => {
  it('names the backend that the next request really gets, whatever has happened', async () => {
    const [a, b] = [await setup.backend(saying('a')), await setup.backend(saying('b'))];
    const gateway = await setup.gateway({ ...twoOllamas(a.url, b.url), isClockStopped: true });
    const { url } = gateway;
    const chosen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      if (i === 8) await order(url, 'ollama-2/drain');
      if (i === 12) await order(url, 'ollama-2/resume');
      const told = await explain(url, { model: 'm' });
      const before = [a.calls.length, b.calls.length];
      // Each answer takes a different time, so that the scores move.
      const slow = [a, b][i % 2];
      slow?.script(async (call) => {
        gateway.advance(100 * i);
        await saying('x')(call);
      });
      expect((await gateway.chat()).status).toBe(200);
      const met = a.calls.length > (before[0] ?? 0) ? 'ollama' : 'ollama-2';
      expect(told.chosen).toContain(met);
      if (told.chosen.length === 1) chosen.add(met);
    }
    expect([...chosen].sort()).toEqual(['ollama', 'ollama-2']);
  });

  it('sends nothing and takes nothing', async () => {
    const [a, b] = [await setup.backend(saying('a')), await setup.backend(saying('b'))];
    const { url } = await setup.gateway(twoOllamas(a.url, b.url));
    for (let i = 0; i < 5; i++) await explain(url, { model: 'm' });
    expect([a.calls.length, b.calls.length]).toEqual([0, 0]);
    expect((await states(url)).map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  it('says why the others are none, and what a chat would lose on each', async () => {
    const ollama = await setup.backend(saying('a'));
    const vllm = await setup.backend(saying('b'));
    const { url } = await setup.gateway({
      env: { OLLAMA_BASE_URL: ollama.url, VLLM_BASE_URL: vllm.url, ADMIN_KEY },
    });
    await order(url, 'ollama/drain');
    const messages = [{ role: 'user', content: 'hi' }];
    const { chosen, candidates } = await explain(url, { model: 'm', messages, store: true });
    expect(chosen).toEqual(['vllm']);
    expect(candidates).toMatchObject([
      { backend: 'ollama', rejected: 'drained', score: null, ignoredParams: ['store'], resident: false },
      { backend: 'vllm', rejected: null, score: { inFlight: 0, latencyKnown: false }, ignoredParams: [] },
    ]);
  });

  it('tells what a client would hear', async () => {
    const backend = await setup.backend(saying('x'));
    const { url } = await setup.gateway({
      env: { VLLM_BASE_URL: backend.url, ADMIN_KEY },
      file: 'models: { vectors: { type: embedding, targets: [{ model: m }] } }',
    });
    const ask = (body: object): Promise<Response> =>
      askAsOperator(`${url}/admin/route/explain`, 'POST', body);
    const messages = [{ role: 'user', content: 'hi' }];
    expect((await expectAnswer(EXPLAIN, await ask({ model: 'nobody' }))).body).toMatchObject({
      error: { code: 'model_not_found' },
    });
    expect((await expectAnswer(EXPLAIN, await ask({ model: 'vectors', messages }))).body).toMatchObject({
      error: { code: 'unsupported_parameter', param: 'model' },
    });
    expect((await expectAnswer(EXPLAIN, await ask({ model: 'm', messages: 'hi' }))).body).toMatchObject({
      error: { code: 'invalid_type', param: 'messages' },
    });
    expect((await expectAnswer(EXPLAIN, await ask({ model: 'm', extra: 1 }))).body).toMatchObject({
      error: { code: 'unknown_parameter', param: 'extra' },
    });
    await order(url, 'vllm/drain');
    expect((await expectAnswer(EXPLAIN, await ask({ model: 'm' }))).body).toMatchObject({
      decision: 'refused',
      error: { code: 'no_backend_available' },
    });
  });
});

interface Load {
  /** What was sent since, and the statuses of those that were no 200. */
  stop(): Promise<{ sent: number; failed: number[] }>;
}

/** So many chats at the same time, one after the other. */
function startLoad({ chat }: TestGateway, width: number): Load {
  let isStopping = false;
  let sent = 0;
  const failed: number[] = [];
  async function run(): Promise<void> {
    while (!isStopping) {
      const response = await chat();
      await response.text();
      sent++;
      if (response.status !== 200) failed.push(response.status);
    }
  }
  const runs = Array.from({ length: width }, run);
  return {
    async stop() {
      isStopping = true;
      await Promise.all(runs);
      return { sent, failed };
    },
  };
}
