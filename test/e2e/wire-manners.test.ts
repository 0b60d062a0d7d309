/** What the gateway takes care of on the wire and nobody notices until it is missing. */

import { Socket } from 'node:net';
import { expect, it, jest } from '@jest/globals';
import { failing, ollamaDone, saying, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { readStream } from '../support/sse.ts';

const setup = createSetup();

/** uvicorn closes idle connections after 5 s; what is sent into one that is closing is lost. */
const KEPT_AT_MOST_MS = 4000;

it.each(KINDS_OF_STREAM)('%s is asked for bytes that nobody has compressed', async (_, variable) => {
  const backend = await setup.backend(saying('fine'));
  const gateway = await setup.gateway({ env: { [variable]: backend.url } });
  await (await gateway.chat()).text();
  expect(backend.calls[0]?.headers['accept-encoding']).toBe('identity');
});

it.each(KINDS_OF_STREAM)('an idle connection to %s is not kept for long', async (_, variable) => {
  const backend = await setup.backend(saying('fine'));
  const gateway = await setup.gateway({ env: { [variable]: backend.url } });
  const limit = jest.spyOn(Socket.prototype, 'setTimeout');
  try {
    await (await gateway.chat()).text();
    const ofBackend = limit.mock.calls.filter((_call, i) => {
      const socket = limit.mock.contexts[i] as Socket;
      return socket.remotePort === backend.port;
    });
    const [lastMs] = ofBackend.at(-1) ?? [];
    expect(lastMs).toBeGreaterThan(0);
    expect(lastMs).toBeLessThanOrEqual(KEPT_AT_MOST_MS);
  } finally {
    limit.mockRestore();
  }
});

it.each(KINDS_OF_STREAM)('what a failed attempt at %s left open is closed', async (_, variable) => {
  const kind = variable === 'OLLAMA_BASE_URL' ? 'ollama' : 'vllm';
  let onCall: (call: ScriptedCall) => void;
  const called = new Promise<ScriptedCall>((resolve) => {
    onCall = resolve;
  });
  const bad = await setup.backend((call) => {
    onCall(call);
    return call.write('{"error":"out of memory"}\n'); // and no end
  });
  const good = await setup.backend(saying('fine'));
  const gateway = await setup.gateway({
    file: `
backends:
  - { name: bad, kind: ${kind}, url: "${bad.url}", weight: 1000 }
  - { name: good, kind: ${kind}, url: "${good.url}", weight: 0.001 }`,
    env: { FIRST_TOKEN_TIMEOUT_MS: '100' },
  });
  const response = gateway.chat({ stream: true });
  const call = await called;
  expect(await readStream(await response)).toMatchObject({ text: 'fine', isDone: true });
  await call.closed;
});

it.each([429, 503])('a client that is to come later is told when: %s', async (status) => {
  const backend = await setup.backend(failing(status, { error: 'busy' }));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const response = await gateway.chat();
  await response.text();
  expect([response.status, response.headers.get('retry-after')]).toEqual([status, '1']);
});

it('calls of Ollama with one id have two for the client', async () => {
  const call = { id: 'call_1', function: { name: 'f', arguments: {} } };
  const backend = await setup.backend(({ end }) => {
    const message = { role: 'assistant', content: '', tool_calls: [call, call] };
    end(`${JSON.stringify({ model: 'm', message, done: false })}\n${ollamaDone()}`);
  });
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
  const answer = (await (await gateway.chat({ tools })).json()) as {
    choices: { message: { tool_calls: { id: string }[] } }[];
  };
  const ids = answer.choices[0]?.message.tool_calls.map(({ id }) => id) ?? [];
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(2);
});
