/** Several requests of one connection, sent before the first is answered. */

import { expect, it } from '@jest/globals';
import { ollamaToken, saying, type ScriptedBackend } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { chatRequest, HEALTH_REQUEST, openWireClient } from '../support/wire-client.ts';

const setup = createSetup();

/** Answers without an end. */
function endlessBackend(): Promise<ScriptedBackend> {
  return setup.backend(({ write }) => write(ollamaToken('endless')));
}

it.each([true, false])(
  'a client that leaves ends its requests in line too, each with its line in the log (stream: %s)',
  async (stream) => {
    const backend = await endlessBackend();
    const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
    const client = openWireClient(gateway.port);
    const count = 15;
    client.send(chatRequest({ stream }).repeat(count));
    await eventually(() => backend.calls.length === count);
    client.socket.destroy();
    await Promise.all(backend.calls.map(({ closed }) => closed));
    await eventually(() => gateway.logs.filter(({ message }) => message === 'request').length === count);
    const outcomes = gateway.logs
      .filter(({ message }) => message === 'request')
      .map(({ fields }) => fields.outcome);
    expect(outcomes).toEqual(Array.from({ length: count }, () => 'client_aborted'));
    expect(gateway.active()).toBe(0);
    expect(await gateway.metric('ai_gateway_backend_in_flight', { backend: 'ollama' })).toBe(0);
  },
);

it('answers in line come in order', async () => {
  const backend = await setup.backend(saying('fine'));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const client = openWireClient(gateway.port);
  client.send(chatRequest({ stream: true }) + chatRequest({ n: 0 }).repeat(15) + chatRequest());
  const seen = await client.until('"content":"fine","refusal"');
  expect(seen.match(/HTTP\/1\.1 \d+/g)).toEqual(
    [200, ...Array.from({ length: 15 }, () => 400), 200].map((status) => `HTTP/1.1 ${String(status)}`),
  );
  client.send(HEALTH_REQUEST);
  await client.until('{"status":"ok"}');
  client.socket.destroy();
});
