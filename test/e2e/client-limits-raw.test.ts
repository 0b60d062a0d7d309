/** Limits of clients for what is passed on raw: requests and how many go on, not tokens. */

import type { ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { keyOf, type HolderSettings, type TestGateway } from '../support/gateway.ts';
import {
  failing,
  type Script,
  type ScriptedBackend,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';

const setup = createSetup();

const OPERATORS_LIMIT = { 'x-ratelimit-limit-requests': '99999', 'x-ratelimit-remaining-tokens': '88888' };

function speak({ res }: { readonly res: ServerResponse }): void {
  res.writeHead(200, { 'content-type': 'application/json', ...OPERATORS_LIMIT }).end('{"spoken":true}');
}

const LIMITED: HolderSettings = {
  limits: { requestsPerMinute: 3, tokensPerMinute: 10, tokensPerDay: 10, concurrency: 1 },
};

interface Started {
  readonly gateway: TestGateway;
  readonly backend: ScriptedBackend;
  speech(key?: string, signal?: AbortSignal): Promise<Response>;
}

async function start(script: Script = speak): Promise<Started> {
  const backend = await setup.backend(script);
  const gateway = await setup.gateway({
    clients: { ann: LIMITED, bob: {} },
    env: { VLLM_BASE_URL: backend.url },
  });
  return {
    gateway,
    backend,
    speech: (key = 'ann', signal) =>
      fetch(`${gateway.url}/v1/audio/speech`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${keyOf(key)}` },
        body: '{"model":"m","input":"hi"}',
        ...(signal && { signal }),
      }),
  };
}

const remaining = ({ headers }: Response): string | null => headers.get('x-ratelimit-remaining-requests');

const inFlight = ({ gateway }: Started): number => gateway.deps.status()[0]?.inFlight ?? 0;

function holding(): { readonly script: Script; readonly calls: ScriptedCall[] } {
  const calls: ScriptedCall[] = [];
  return { calls, script: (call) => void calls.push(call) };
}

describe('a raw request', () => {
  it('is one of the requests of its key, and its tokens are not counted', async () => {
    const { speech, backend } = await start();
    const answers = [await speech(), await speech(), await speech()];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers.map(remaining)).toEqual(['2', '1', '0']);
    const refused = await speech();
    expect([refused.status, backend.calls.length]).toEqual([429, 3]);
    expect(await refused.json()).toMatchObject({ error: { type: 'requests', code: 'rate_limit_exceeded' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
  });

  it('shows the limits of its key, and not those that the operator has elsewhere', async () => {
    const { speech } = await start();
    const own = await speech();
    expect(own.headers.get('x-ratelimit-limit-requests')).toBe('3');
    expect(own.headers.get('x-ratelimit-remaining-tokens')).toBeNull();
    const passed = await speech('bob');
    expect(passed.headers.get('x-ratelimit-limit-requests')).toBe('99999');
  });

  it('costs nothing when the backend fails or cannot be had', async () => {
    const { speech, backend } = await start(failing(500, { error: { message: 'broken' } }));
    expect((await speech()).status).toBe(500);
    backend.script(({ reset }) => reset());
    expect((await speech()).status).toBe(502);
    backend.script(speak);
    expect(remaining(await speech())).toBe('2');
  });

  it('goes on until its last byte', async () => {
    const { script, calls } = holding();
    const started = await start(script);
    const first = started.speech();
    await eventually(() => calls.length === 1);
    calls[0]?.res.writeHead(200, { 'content-type': 'audio/mpeg' }).write('begun');
    const response = await first;
    expect((await started.speech()).status).toBe(429);
    calls[0]?.end();
    await response.text();
    await eventually(() => inFlight(started) === 0);
    started.backend.script(speak);
    expect(remaining(await started.speech())).toBe('1');
  });

  it('costs nothing when its client leaves before the answer, and a request when it leaves after', async () => {
    const { script, calls } = holding();
    const started = await start(script);
    const { speech, backend } = started;
    const [early, late] = [new AbortController(), new AbortController()];
    const first = speech('ann', early.signal);
    await eventually(() => calls.length === 1);
    early.abort();
    await expect(first).rejects.toThrow();
    await eventually(() => inFlight(started) === 0);

    const second = speech('ann', late.signal);
    await eventually(() => calls.length === 2);
    calls[1]?.res.writeHead(200, { 'content-type': 'audio/mpeg' }).write('begun');
    await second;
    late.abort();
    await eventually(() => inFlight(started) === 0);
    backend.script(speak);
    expect(remaining(await speech())).toBe('1');
  });
});
