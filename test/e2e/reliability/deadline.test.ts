/** The client says how long it waits (`x-stainless-timeout`): after that nobody works for it. */

import { describe, expect, it } from '@jest/globals';
import { expectError } from '../../support/errors.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { preferring, SPEECHES } from '../../support/speech.ts';
import { openStream, parseStream } from '../../support/sse.ts';

const setup = createSetup();

function ask(gateway: TestGateway, seconds: string, stream = true): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'x-stainless-timeout': seconds };
  return gateway.chat({ stream }, { headers });
}

describe.each(SPEECHES)('the time that a client of %s gives', (_, speech) => {
  it.each([true, false])(
    'is kept: then it is told, and the backend is let go (stream: %s)',
    async (stream) => {
      const calls: ScriptedCall[] = [];
      const backend = await setup.backend((call) => void calls.push(call));
      const other = await setup.backend(saying('must not be asked'));
      const gateway = await setup.gateway({
        file: preferring(speech, backend.url, other.url),
        isClockStopped: true,
      });
      const answer = ask(gateway, '2.5', stream);
      await eventually(() => calls.length === 1);
      gateway.advance(2499);
      expect(gateway.active()).toBe(1);
      gateway.advance(1);
      expect(await expectError(await answer)).toMatchObject({ status: 504, code: 'deadline_exceeded' });
      await calls[0]?.closed;
      expect(other.calls).toHaveLength(0);
      expect(gateway.deps.status()[0]).toMatchObject({ circuit: 'closed', inFlight: 0 });
    },
  );

  it('goes on through all attempts', async () => {
    const silent = await setup.backend(() => undefined);
    const slow = await setup.backend(() => undefined);
    const gateway = await setup.gateway({
      file: preferring(speech, silent.url, slow.url),
      env: { FIRST_TOKEN_TIMEOUT_MS: '1500' },
      isClockStopped: true,
    });
    const answer = ask(gateway, '2');
    await eventually(() => silent.calls.length === 1);
    gateway.advance(1500);
    await eventually(() => slow.calls.length === 1);
    gateway.advance(499);
    expect(gateway.active()).toBe(1);
    gateway.advance(1);
    expect((await expectError(await answer)).code).toBe('deadline_exceeded');
  });

  it('is for the beginning of a stream: one that has begun may take longer', async () => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend(async (call) => {
      await call.write(speech.token('one'));
      calls.push(call);
    });
    const gateway = await setup.gateway({ env: { [speech.variable]: backend.url }, isClockStopped: true });
    const open = openStream(await ask(gateway, '2'));
    await open.until('one');
    gateway.advance(60_000);
    calls[0]?.end(speech.token('two') + speech.done());
    expect(parseStream(await open.rest())).toMatchObject({ text: 'onetwo', isDone: true });
  });

  it.each(['0', '-5', 'soon', ''])('is no limit when it is no time (%s)', async (seconds) => {
    const calls: ScriptedCall[] = [];
    const backend = await setup.backend((call) => void calls.push(call));
    const gateway = await setup.gateway({ env: { [speech.variable]: backend.url }, isClockStopped: true });
    const answer = ask(gateway, seconds, false);
    await eventually(() => calls.length === 1);
    gateway.advance(60_000);
    for (const call of calls) await saying('fine')(call);
    expect((await answer).status).toBe(200);
  });
});

it('is kept in line, too: who has waited so long never reaches the backend', async () => {
  const calls: ScriptedCall[] = [];
  const backend = await setup.backend((call) => void calls.push(call));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url, BACKEND_CONCURRENCY: '1' } });
  const first = gateway.chat();
  await eventually(() => calls.length === 1);
  const response = await ask(gateway, '0.1');
  expect(await expectError(response)).toMatchObject({ status: 504, code: 'deadline_exceeded' });
  for (const call of calls) await saying('fine')(call);
  expect((await first).status).toBe(200);
  expect(calls).toHaveLength(1);
});
