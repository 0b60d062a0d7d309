/** A backend fails before its first token: another one answers, or the client is told what happened. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { EARLY_FAULTS, FAULTS, refusing, strikingFirst, type Fault } from '../../support/faults.ts';
import { failing, saying } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { preferring, SPEECHES } from '../../support/speech.ts';
import { readStream } from '../../support/sse.ts';

const setup = createSetup();

const LOST = [502, 'upstream_connection_error'] as const;
const INVALID = [502, 'upstream_invalid_response'] as const;
const INCOMPLETE = [502, 'upstream_incomplete_response'] as const;
const FAILED = [502, 'upstream_error'] as const;
const TOO_LATE = [504, 'upstream_first_token_timeout'] as const;
const BUSY = [503, 'server_overloaded'] as const;
const LIMITED = [429, 'rate_limit_exceeded'] as const;
const FIRST_TOKEN_MS = 1500;
const LATER = { 'retry-after': '7' };

/** Status and code for the client of a gateway with no other backend. */
type Told = readonly [status: number, code: string];

/** A body in one piece that is cut short is no JSON, so INCOMPLETE becomes INVALID there. */
const EARLY: readonly (readonly [Fault, Told, openai?: Told])[] = [
  [FAULTS.silence, TOO_LATE],
  [EARLY_FAULTS.headersAndSilence, TOO_LATE],
  [FAULTS.reset, LOST],
  [FAULTS.close, LOST],
  [FAULTS.end, INCOMPLETE, INCOMPLETE],
  [FAULTS.cut, INVALID, INCOMPLETE],
  [FAULTS.cutByReset, LOST],
  [FAULTS.spoken, FAILED],
  [FAULTS.invalidJson, INVALID],
  [FAULTS.invalidUtf8, INVALID],
  [FAULTS.large, INVALID],
  [FAULTS.longLength, LOST],
  [FAULTS.shortLength, INVALID, INCOMPLETE],
  [FAULTS.brokenChunk, INVALID],
  [EARLY_FAULTS.noHttp, INVALID],
  [EARLY_FAULTS.html, INVALID, INCOMPLETE],
  [EARLY_FAULTS.gzip, INVALID, INCOMPLETE],
  [refusing(500), FAILED],
  [refusing(500, LATER), FAILED],
  [refusing(502), FAILED],
  [refusing(502, LATER), FAILED],
  [refusing(429), LIMITED],
  [refusing(429, LATER), LIMITED],
  [refusing(503), BUSY],
  [refusing(503, LATER), BUSY],
  [refusing(401), [502, 'upstream_unauthorized']],
  [refusing(403), [502, 'upstream_forbidden']],
];

const isSilent = (fault: Fault): boolean =>
  fault === FAULTS.silence || fault === EARLY_FAULTS.headersAndSilence;

/** A kept connection that breaks before any answer may have been closed already: the request is sent once more. */
const sendings = (fault: Fault): number => (fault === FAULTS.reset || fault === FAULTS.close ? 2 : 1);

const CASES = SPEECHES.flatMap(([kind, speech]) =>
  EARLY.flatMap(([fault, ollama, openai = ollama]) =>
    [true, false].map((stream) => ({
      kind,
      what: fault.name,
      stream,
      speech,
      fault,
      told: speech.kind === 'ollama' ? ollama : stream || openai !== INCOMPLETE ? openai : INVALID,
    })),
  ),
);

const env = { FIRST_TOKEN_TIMEOUT_MS: String(FIRST_TOKEN_MS), COMMIT_AFTER_MS: '0' };

describe('a backend that fails before its first token', () => {
  it.each(CASES)(
    '($kind) $what: the client is told so (stream: $stream)',
    async ({ speech, fault, stream, told: [status, code] }) => {
      const backend = await setup.backend(strikingFirst(fault, speech));
      const gateway = await setup.gateway({
        env: { ...env, [speech.variable]: backend.url },
        isClockStopped: isSilent(fault),
      });
      const answer = gateway.chat({ stream });
      await eventually(() => backend.calls.length > 0);
      if (isSilent(fault)) gateway.advance(FIRST_TOKEN_MS);
      const response = await answer;
      const retryAfter = response.headers.get('retry-after');
      expect(await expectError(response)).toMatchObject({ status, code });
      if (status === 429 || status === 503)
        expect(retryAfter).toBe(fault.name.includes('with Re') ? '7' : '1');
      expect(backend.calls.length).toBeLessThanOrEqual(sendings(fault));
      expect(gateway.deps.pool.inFlight()).toBe(0);
    },
  );

  it.each(CASES)(
    '($kind) $what: another one answers (stream: $stream)',
    async ({ speech, fault, stream }) => {
      const bad = await setup.backend(strikingFirst(fault, speech));
      const good = await setup.backend(saying('fine'));
      const gateway = await setup.gateway({
        env,
        file: preferring(speech, bad.url, good.url),
        isClockStopped: isSilent(fault),
      });
      const answer = gateway.chat({ stream });
      await eventually(() => bad.calls.length > 0);
      if (isSilent(fault)) gateway.advance(FIRST_TOKEN_MS);
      await expectFine(await answer, stream);
      expect(bad.calls.length).toBeLessThanOrEqual(sendings(fault));
      expect(good.calls).toHaveLength(1);
    },
  );
});

/** What `saying('fine')` leads to. */
async function expectFine(response: Response, stream: boolean): Promise<void> {
  expect(response.status).toBe(200);
  if (stream) {
    expect(await readStream(response)).toMatchObject({ text: 'fine', isDone: true, error: undefined });
  } else {
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'fine' } }] });
  }
}

describe.each(SPEECHES)('%s that refuses connections', (_, speech) => {
  it.each([true, false])('is a 503 when there is no other (stream: %s)', async (stream) => {
    const gone = await setup.backend(saying('x'));
    const gateway = await setup.gateway({ env: { [speech.variable]: gone.url } });
    await gone.close();
    const response = await gateway.chat({ stream });
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await expectError(response)).toMatchObject({ status: 503, code: 'no_backend_available' });
  });

  it('costs no request while another is well, and is left alone until it is well itself', async () => {
    const bad = await setup.backend(saying('x'));
    const good = await setup.backend(saying('fine'));
    const gateway = await setup.gateway({ file: preferring(speech, bad.url, good.url) });
    await bad.close();
    for (let i = 0; i < 10; i++) await expectFine(await gateway.chat({ stream: i % 2 === 0 }), i % 2 === 0);
    expect(await gateway.metric('ai_gateway_circuit_state', { backend: 'first' })).toBe(2);
    const labels = { backend: 'first', reason: 'upstream_unavailable' };
    expect(await gateway.metric('ai_gateway_failovers_total', labels)).toBe(1);
    expect(await gateway.metric('ai_gateway_retries_total', { result: 'made' })).toBe(1);
  });
});

describe.each(SPEECHES)('a redirect of %s', (_, speech) => {
  /** A place where nobody must ever go. */
  async function canary(): Promise<{ url: string; visits: () => number; close: () => void }> {
    let visits = 0;
    const server = createServer((_req, res) => {
      visits++;
      res.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${String(port)}/`, visits: () => visits, close: () => server.close() };
  }

  it.each([301, 302, 303, 307, 308])('(%d) is not followed', async (status) => {
    const forbidden = await canary();
    const bad = await setup.backend(failing(status, '', { location: forbidden.url }));
    const good = await setup.backend(saying('fine'));
    const alone = await setup.gateway({ env: { [speech.variable]: bad.url } });
    for (const stream of [true, false]) {
      const told = await expectError(await alone.chat({ stream }));
      expect(told).toMatchObject({ status: 502, code: 'upstream_invalid_response' });
    }
    const helped = await setup.gateway({ file: preferring(speech, bad.url, good.url) });
    await expectFine(await helped.chat({ stream: true }), true);
    expect(forbidden.visits()).toBe(0);
    forbidden.close();
  });
});

it.each(SPEECHES)('text of %s that is no UTF-8 reaches the client as UTF-8', async (_, speech) => {
  const backend = await setup.backend(({ res }) => {
    const [head = '', tail = ''] = speech.token('@').split('@');
    res.write(Buffer.from(`${head}a\xff\xc3(b${tail}`, 'latin1'));
    res.end(speech.done());
  });
  const gateway = await setup.gateway({ env: { [speech.variable]: backend.url } });
  expect(await readStream(await gateway.chat({ stream: true }))).toMatchObject({
    text: 'a��(b',
    isDone: true,
  });
});
