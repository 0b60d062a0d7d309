/** Several answers to one request (`n`), from backends that give one at a time. */

import { describe, expect, it } from '@jest/globals';
import {
  failing,
  ollamaDone,
  ollamaToken,
  saying,
  type Script,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import type { TestGateway } from '../support/gateway.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { openStream, parseStream, readStream } from '../support/sse.ts';

const setup = createSetup();

/** Says the seed it was given; the second answer ends at its limit. */
const sayingSeed: Script = async (call) => {
  const { seed } = call.body.options as { seed: number };
  await call.write(ollamaToken(`seed ${String(seed)}`));
  call.end(ollamaDone({ prompt_eval_count: 10, eval_count: 1, done_reason: seed === 8 ? 'length' : 'stop' }));
};

interface Choice {
  readonly index: number;
  readonly delta?: { role?: string; content?: string };
  readonly message?: { content: string };
  readonly finish_reason: string | null;
}
interface Payload {
  readonly id: string;
  readonly system_fingerprint?: string;
  readonly service_tier?: string;
  readonly choices: readonly Choice[];
  readonly usage?: { prompt_tokens: number; completion_tokens: number } | null;
}

describe('two answers', () => {
  it('streamed are told under one id by index, with the prompt counted once', async () => {
    const backend = await setup.backend(sayingSeed);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const { events, isDone } = await readStream(
      await gateway.chat({ n: 2, seed: 7, stream: true, stream_options: { include_usage: true } }),
    );
    const chunks = events.filter((event) => event !== '[DONE]') as Payload[];
    expect(isDone).toBe(true);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    const of = (index: number): Choice[] =>
      chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
    expect(
      [0, 1].map((index) => of(index).map(({ delta, finish_reason: finish }) => ({ ...delta, finish }))),
    ).toEqual([
      [
        { role: 'assistant', content: '', finish: null },
        { content: 'seed 7', finish: null },
        { finish: 'stop' },
      ],
      [
        { role: 'assistant', content: '', finish: null },
        { content: 'seed 8', finish: null },
        { finish: 'length' },
      ],
    ]);
    const counted = chunks.filter(({ usage }) => usage);
    expect(counted).toMatchObject([{ choices: [], usage: { prompt_tokens: 10, completion_tokens: 2 } }]);
    expect(events.at(-2)).toBe(counted[0]);
    expect(backend.calls.map(({ body }) => body.n)).toEqual([undefined, undefined]);
  });

  it('in one piece are in order, also when the second is there first', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const answer = gateway.chat({ n: 2, seed: 7 });
    await eventually(() => calls.length === 2);
    const bySeed = calls.sort((a, b) => seedOf(b) - seedOf(a));
    for (const call of bySeed) await sayingSeed(call);
    expect(await (await answer).json()).toMatchObject({
      choices: [
        { index: 0, message: { content: 'seed 7' }, finish_reason: 'stop' },
        { index: 1, message: { content: 'seed 8' }, finish_reason: 'length' },
      ],
      usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
    });
  });

  it('are one call to a backend that gives several', async () => {
    const backend = await setup.backend(saying('x'));
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
    expect((await gateway.chat({ n: 2 })).status).toBe(200);
    expect(backend.calls.map(({ body }) => body.n)).toEqual([2]);
  });

  it('wait for each other when the backend has room for one', async () => {
    const backend = await setup.backend(sayingSeed);
    const gateway = await setup.gateway({
      file: `backends: [{ name: b, kind: ollama, url: "${backend.url}", maxConcurrency: 1 }]`,
    });
    for (const stream of [true, false]) {
      const response = await gateway.chat({ n: 4, seed: 1, stream });
      const text = await response.text();
      for (const seed of [1, 2, 3, 4]) expect(text).toContain(`seed ${String(seed)}`);
    }
    expect(inFlight(gateway)).toBe(0);
  });

  it('fail together: in one piece with a status, in a stream with one error and no end', async () => {
    let count = 0;
    const backend = await setup.backend(async (call) => {
      if (++count % 2 === 1) {
        await call.write(ollamaToken('begun'));
        await call.closed;
      } else {
        await failing(400, { error: 'no' })(call);
      }
    });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    expect((await gateway.chat({ n: 2 })).status).toBe(400);
    await eventually(() => inFlight(gateway) === 0);

    const release: (() => void)[] = [];
    backend.script(async (call) => {
      if (release.length > 0) {
        // The first has been told by now.
        release[0]?.();
        call.end(`${JSON.stringify({ error: 'boom' })}\n`);
      } else {
        const second = new Promise<void>((resolve) => release.push(resolve));
        await call.write(ollamaToken('begun'));
        await second;
        await call.closed;
      }
    });
    const { error, isDone } = await readStream(await gateway.chat({ n: 2, stream: true }));
    expect(error?.message).toContain('boom');
    expect(isDone).toBe(false);
    await eventually(() => inFlight(gateway) === 0);
  });

  it.each([false, true])(
    'name what either of their backends ignores, whoever begins last (streamed: %s)',
    async (stream) => {
      const release: (() => void)[] = [];
      const others = new Promise<void>((resolve) => release.push(resolve));
      const first = await setup.backend(async (call) => {
        await others;
        await sayingSeed(call);
      });
      const broken = await setup.backend(failing(500, { error: { message: 'broken' } }));
      const last = await setup.backend(async (call) => {
        release[0]?.();
        await saying('everything is heeded')(call);
      });
      const gateway = await setup.gateway({
        file: `
backends:
  - { name: first, kind: ollama, url: "${first.url}", weight: 100, maxConcurrency: 1 }
  - { name: broken, kind: llamacpp, url: "${broken.url}", weight: 1 }
  - { name: last, kind: llamacpp, url: "${last.url}", weight: 0.01 }`,
      });
      const response = await gateway.chat({ n: 2, seed: 7, verbosity: 'low', user: 'me', stream });
      const ignored = response.headers.get('x-gateway-ignored-params');
      expect(ignored?.split(', ').sort()).toEqual(['user', 'verbosity']);
      expect(await response.text()).toContain('everything is heeded');
      expect([first, broken, last].map(({ calls }) => calls.length)).toEqual([1, 1, 1]);
    },
  );

  it('do not name what was ignored in an attempt that failed', async () => {
    const broken = await setup.backend(failing(500, { error: 'broken' }));
    const serving = await setup.backend(saying('everything is heeded'));
    const gateway = await setup.gateway({
      file: `
backends:
  - { name: broken, kind: ollama, url: "${broken.url}", weight: 100 }
  - { name: serving, kind: llamacpp, url: "${serving.url}" }`,
    });
    const response = await gateway.chat({ n: 2, verbosity: 'low' });
    expect([response.status, response.headers.get('x-gateway-ignored-params')]).toEqual([200, null]);
    expect(broken.calls.length).toBeGreaterThan(0);
  });

  it('are both given up when the client leaves', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      calls.push(call);
      await call.write(ollamaToken('x'));
    });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const leaving = new AbortController();
    const stream = openStream(await gateway.chat({ n: 2, stream: true }, { signal: leaving.signal }));
    await stream.until('"index":1');
    leaving.abort();
    await Promise.all(calls.map(({ closed }) => closed));
    await eventually(() => inFlight(gateway) === 0);
  });
});

describe('the chunk with the usage of two answers', () => {
  const COUNTED = {
    n: 2,
    seed: 7,
    stream: true,
    stream_options: { include_usage: true },
    service_tier: 'flex',
  };

  it('has the fingerprint and the tier of the others', async () => {
    const backend = await setup.backend(sayingSeed);
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const { events } = await readStream(await gateway.chat(COUNTED));
    const chunks = events.filter((event) => event !== '[DONE]') as Payload[];
    const fingerprints = new Set(chunks.map(({ system_fingerprint: fingerprint }) => fingerprint));
    expect([...fingerprints]).toEqual([expect.stringMatching(/^fp_/)]);
    expect(new Set(chunks.map(({ service_tier: tier }) => tier))).toEqual(new Set(['default']));
  });

  it('has no fingerprint when two models answered, and neither has the answer in one piece', async () => {
    const one = await setup.backend(sayingSeed);
    const other = await setup.backend(sayingSeed);
    const gateway = await setup.gateway({
      file: `
backends:
  - { name: one, kind: ollama, url: "${one.url}", maxConcurrency: 1 }
  - { name: other, kind: ollama, url: "${other.url}", maxConcurrency: 1 }
models: { x: { targets: [{ backend: one, model: a }, { backend: other, model: b }] } }`,
    });
    const { events } = await readStream(await gateway.chat({ ...COUNTED, model: 'x' }));
    expect(one.calls.length + other.calls.length).toBe(2);
    expect(one.calls).toHaveLength(1);
    expect(events.at(-2)).not.toHaveProperty('system_fingerprint');
    const whole = await (await gateway.chat({ n: 2, seed: 7, model: 'x' })).json();
    expect(whole).not.toHaveProperty('system_fingerprint');
    expect(whole).toMatchObject({ choices: [{ index: 0 }, { index: 1 }] });
  });

  it('of text completions has the fingerprint of the others', async () => {
    const backend = await setup.backend((call) => {
      call.end(`${JSON.stringify({ response: 'x', done: true, done_reason: 'stop', eval_count: 1 })}\n`);
    });
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const response = await fetch(`${gateway.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'm',
        prompt: ['a', 'b'],
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    const chunks = parseStream(await response.text()).events.filter(
      (event) => event !== '[DONE]',
    ) as Payload[];
    const fingerprints = new Set(chunks.map(({ system_fingerprint: fingerprint }) => fingerprint));
    expect([...fingerprints]).toEqual([expect.stringMatching(/^fp_/)]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 2 } });
  });
});

describe('service_tier', () => {
  it.each([true, false])(
    'is told to be the default one, if the request has one (stream: %s)',
    async (stream) => {
      const backend = await setup.backend(saying('x'));
      const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
      expect(await (await gateway.chat({ stream, service_tier: 'auto' })).text()).toContain(
        '"service_tier":"default"',
      );
      for (const tier of [null, undefined]) {
        expect(await (await gateway.chat({ stream, service_tier: tier })).text()).not.toContain(
          'service_tier',
        );
      }
    },
  );
});

it('more answers than the gateway gives are refused', async () => {
  const backend = await setup.backend(sayingSeed);
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, MAX_CHOICES: '2' } });
  const response = await gateway.chat({ n: 3 });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: 'n', code: 'integer_above_max_value' } });
});

it('one answer that a backend refuses is tried on another, by itself', async () => {
  const refusing = await setup.backend(failing(500, { error: 'broken' }));
  const serving = await setup.backend(sayingSeed);
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: `${refusing.url},${serving.url}` } });
  const text = parseStream(await (await gateway.chat({ n: 3, seed: 1, stream: true })).text());
  expect(text.isDone).toBe(true);
  expect(serving.calls).toHaveLength(3);
});

function inFlight({ deps }: TestGateway): number {
  return deps.status().reduce((sum, backend) => sum + backend.inFlight, 0);
}

function seedOf({ body }: ScriptedCall): number {
  return (body.options as { seed: number }).seed;
}
