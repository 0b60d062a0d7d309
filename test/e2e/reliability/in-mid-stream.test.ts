/** A backend fails after its first token: the stream says so once, and an answer in one piece is fetched anew. */

import { describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import { FAULTS, strikingLater, type Fault } from '../../support/faults.ts';
import { saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { preferring, SPEECHES } from '../../support/speech.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();
const IDLE_MS = 700;

/** The code of the last event, where it differs between the formats in that of either. */
const LATE: readonly (readonly [Fault, code: string, openai?: string])[] = [
  [FAULTS.silence, 'upstream_idle_timeout'],
  [FAULTS.reset, 'upstream_connection_error'],
  [FAULTS.close, 'upstream_connection_error'],
  [FAULTS.end, 'upstream_incomplete_response'],
  [FAULTS.cut, 'upstream_invalid_response', 'upstream_incomplete_response'],
  [FAULTS.cutByReset, 'upstream_connection_error'],
  [FAULTS.spoken, 'upstream_error'],
  [FAULTS.invalidJson, 'upstream_invalid_response'],
  [FAULTS.invalidUtf8, 'upstream_invalid_response'],
  [FAULTS.large, 'upstream_invalid_response'],
  [FAULTS.longLength, 'upstream_connection_error'],
  [FAULTS.shortLength, 'upstream_invalid_response', 'upstream_incomplete_response'],
  [FAULTS.brokenChunk, 'upstream_invalid_response'],
];

const CASES = SPEECHES.flatMap(([kind, speech]) =>
  LATE.map(([fault, ollama, openai = ollama]) => ({
    kind,
    what: fault.name,
    speech,
    fault,
    code: speech.kind === 'ollama' ? ollama : openai,
  })),
);

// A body in one piece has no first token before its end, so the other limit holds there.
const env = {
  IDLE_TIMEOUT_MS: String(IDLE_MS),
  FIRST_TOKEN_TIMEOUT_MS: String(IDLE_MS),
  COMMIT_AFTER_MS: '0',
};

/** The tick that sees the last token, and the one that misses the next. */
function passIdleLimit(gateway: { advance(ms: number): void }): void {
  gateway.advance(1);
  gateway.advance(IDLE_MS);
}

describe('a backend that fails after its first token', () => {
  it.each(CASES)(
    '($kind) $what: one error ends the stream, without [DONE] and without a finish reason',
    async ({ speech, fault, code }) => {
      const { script, strike } = strikingLater(fault, speech);
      const bad = await setup.backend(script);
      const good = await setup.backend(saying('must not be asked'));
      const gateway = await setup.gateway({
        env,
        file: preferring(speech, bad.url, good.url),
        isClockStopped: fault === FAULTS.silence,
      });
      const response = await gateway.chat({ stream: true });
      expect(response.status).toBe(200);
      const open = openStream(response);
      await open.until('part');
      await strike();
      if (fault === FAULTS.silence) passIdleLimit(gateway);
      const stream = parseStream(await open.rest());
      expect(stream).toMatchObject({ text: 'part', isDone: false, error: { code } });
      const errors = stream.events.filter((event) => 'error' in (event as object));
      expect(errors).toEqual([stream.events.at(-1)]);
      expect(JSON.stringify(stream.events)).not.toMatch(/"finish_reason":"|10\.0\.0\.7/);
      expect([bad.calls.length, good.calls.length]).toEqual([1, 0]);
      expect(gateway.deps.pool.inFlight()).toBe(0);
      const status = fault === FAULTS.silence ? 'timeout' : 'upstream_error';
      expect(await gateway.metric('ai_gateway_streams_total', { status })).toBe(1);
    },
  );

  it.each(CASES)(
    '($kind) $what: an answer in one piece is fetched anew from another one',
    async ({ speech, fault }) => {
      const { script, strike } = strikingLater(fault, speech);
      const bad = await setup.backend(script);
      const good = await setup.backend(saying('fine'));
      const gateway = await setup.gateway({
        env,
        file: preferring(speech, bad.url, good.url),
        isClockStopped: fault === FAULTS.silence,
      });
      const answer = gateway.chat();
      await eventually(() => (bad.calls[0]?.socket.bytesWritten ?? 0) > 0);
      await strike();
      if (fault === FAULTS.silence) passIdleLimit(gateway);
      expect(await (await answer).json()).toMatchObject({ choices: [{ message: { content: 'fine' } }] });
      expect([bad.calls.length, good.calls.length]).toEqual([1, 1]);
    },
  );

  it.each(CASES)(
    '($kind) $what: an answer in one piece is an error when there is no other',
    async (given) => {
      const { speech, fault } = given;
      const { script, strike } = strikingLater(fault, speech);
      const backend = await setup.backend(script);
      const gateway = await setup.gateway({
        env: { ...env, [speech.variable]: backend.url },
        isClockStopped: fault === FAULTS.silence,
      });
      const answer = gateway.chat();
      await eventually(() => (backend.calls[0]?.socket.bytesWritten ?? 0) > 0);
      await strike();
      if (fault === FAULTS.silence) passIdleLimit(gateway);
      expect((await expectError(await answer)).status).toBe(fault === FAULTS.silence ? 504 : 502);
      expect(gateway.deps.pool.inFlight()).toBe(0);
    },
  );
});

it.each(SPEECHES)('%s that breaks after its finish reason has cost nothing', async (_, speech) => {
  let call: ScriptedCall | undefined;
  const backend = await setup.backend(async (given) => {
    call = given;
    await given.write(speech.token('all') + speech.done().replace('data: [DONE]\n\n', ''));
  });
  const gateway = await setup.gateway({ env: { [speech.variable]: backend.url } });
  const open = openStream(await gateway.chat({ stream: true }));
  await open.until('"finish_reason":"stop"');
  call?.reset();
  expect(parseStream(await open.rest())).toMatchObject({ text: 'all', isDone: true, error: undefined });
});
