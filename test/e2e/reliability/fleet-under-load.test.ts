/** Backends die, flap and come back while requests arrive at an even pace. */

import { describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { expectWithin, tellFigure } from '../../support/figures.ts';
import { atPace, quantile, sleep } from '../../support/load.ts';
import { failing, saying, type Script, type ScriptedBackend } from '../../support/scripted-backend.ts';
import { createSetup } from '../../support/setup.ts';
import { SPEECHES, type Speech } from '../../support/speech.ts';
import { readStream } from '../../support/sse.ts';

const setup = createSetup();
const PER_SECOND = 50;
const TOKENS = 10;
const WHOLE = Array.from({ length: TOKENS }, (_, i) => `t${String(i)} `).join('');

/** A stream of a tenth of a second, so that five are going on when its backend dies. */
function slowly({ token, done }: Speech): Script {
  return async ({ write, end, res }) => {
    for (let i = 0; i < TOKENS && !res.destroyed; i++) {
      await write(token(`t${String(i)} `));
      await sleep(10);
    }
    end(done());
  };
}

function three(script: Script): Promise<ScriptedBackend[]> {
  return Promise.all([1, 2, 3].map(() => setup.backend(script)));
}

const urlsOf = (backends: readonly ScriptedBackend[]): string => backends.map(({ url }) => url).join(',');

describe('one of three backends', () => {
  it.each(SPEECHES)('(%s) is killed: who has no byte loses nothing, who has is told', async (_, speech) => {
    const backends = await three(slowly(speech));
    const gateway = await setup.gateway({ env: { [speech.variable]: urlsOf(backends) } });
    const [victim] = backends;
    const killed = sleep(500).then(() => victim?.close());
    const streams = await atPace(PER_SECOND, 75, async () => {
      const response = await gateway.chat({ stream: true });
      expect(response.status).toBe(200);
      return readStream(response);
    });
    await killed;
    const cut = streams.filter(({ isDone }) => !isDone);
    for (const { text, error } of cut) {
      expect(text).not.toBe('');
      expect(error?.code).toBe('upstream_connection_error');
    }
    expect(cut.length).toBeLessThan(streams.length / 2); // those that were going on there
    const whole = streams.filter(({ isDone }) => isDone);
    expect(new Set(whole.map(({ text, error }) => `${text}${String(error?.code)}`))).toEqual(
      new Set([`${WHOLE}undefined`]),
    );
    tellFigure('killed under load', `${String(streams.length)} streams, ${String(cut.length)} cut and told`);
    expect(gateway.deps.pool.inFlight()).toBe(0);
  });

  it('is flapping: no client sees it', async () => {
    const backends = await three(saying('fine'));
    // Ten times as fast as a server that is restarted every two seconds, and so is all that has a
    // time. It is to be asked as soon and as often as possible.
    const [first, ...others] = backends.map(({ url }) => url);
    const gateway = await setup.gateway({
      env: {
        PROBE_INTERVAL_MS: '100',
        CIRCUIT_OPEN_MS: '50',
        CIRCUIT_RAMP_MS: '0',
        RETRY_BUDGET_MIN_PER_SECOND: '100',
      },
      file: `
backends:
  - { name: flapping, kind: ollama, url: "${String(first)}", weight: 100 }
${others.map((url, i) => `  - { name: b${String(i)}, kind: ollama, url: "${url}" }`).join('\n')}`,
    });
    const requests = atPace(PER_SECOND, 150, async (i) => {
      const response = await gateway.chat({ stream: i % 2 === 0 });
      return `${String(response.status)} ${String((await response.text()).includes('fine'))}`;
    });
    let [flapping] = backends as [ScriptedBackend];
    for (const flap of [refuse, reset, err, refuse, reset, err, refuse]) {
      flapping = await flap(flapping);
      await sleep(200);
    }
    const seen = await requests;
    expect(seen.filter((each) => each !== '200 true')).toEqual([]);
    const retries = await gateway.metric('ai_gateway_retries_total', { result: 'made' });
    tellFigure('flapping', `${String(seen.length)} requests, 0 failed, ${String(retries)} retries`);
    expect(retries).toBeGreaterThan(5);
  });
});

/** Each breaks a backend for a while, and gives it back well. */
type Flap = (backend: ScriptedBackend) => Promise<ScriptedBackend>;

const refuse: Flap = async ({ port, close }) => {
  await close();
  await sleep(200);
  return setup.backend(saying('fine'), { port });
};

const reset: Flap = (backend) => misbehave(backend, (call) => call.reset());
const err: Flap = (backend) => misbehave(backend, failing(500, { error: 'out of memory' }));

async function misbehave(backend: ScriptedBackend, script: Script): Promise<ScriptedBackend> {
  backend.script(script);
  await sleep(200);
  backend.script(saying('fine'));
  return backend;
}

it.each(SPEECHES)('the only one (%s) dies and returns: requests are served again soon', async (_, speech) => {
  const gone = await setup.backend(saying('fine'));
  const gateway = await setup.gateway({ env: { [speech.variable]: gone.url, CIRCUIT_OPEN_MS: '1000' } });
  await gone.close();
  let returnedMs = Infinity;
  let servedMs = Infinity;
  const returned = sleep(300).then(async () => {
    await setup.backend(saying('fine'), { port: gone.port });
    returnedMs = performance.now();
  });
  await atPace(PER_SECOND, 90, async () => {
    if ((await gateway.chat()).status === 200) servedMs = Math.min(servedMs, performance.now());
  });
  await returned;
  expectWithin('recovery after', servedMs - returnedMs, 3000);
  expect((await gateway.chat()).status).toBe(200);
});

it.each([true, false])('with all backends down everybody is told at once (stream: %s)', async (stream) => {
  const backends = await three(saying('x'));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: urlsOf(backends) } });
  for (const { close } of backends) await close();
  const times = await atPace(200, 100, async () => {
    const startedMs = performance.now();
    const response = await gateway.chat({ stream });
    const ms = performance.now() - startedMs;
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await expectError(response)).toMatchObject({ status: 503, code: 'no_backend_available' });
    return ms;
  });
  expectWithin('all down: p99 of the answer', quantile(times, 0.99), 100);
});
