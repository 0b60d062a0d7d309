/** The client leaves, at every stage: the backend is told at once and its slot is free. */

import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import {
  ollamaToken,
  openaiChunk,
  type ScriptedBackend,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import { createSetup, eventually, KINDS_OF_STREAM } from '../support/setup.ts';
import { openStream } from '../support/sse.ts';
import type { TestGateway } from '../support/gateway.ts';

const setup = createSetup();

async function expectFree(gateway: TestGateway, backend: string): Promise<void> {
  await eventually(async () => (await gateway.metric('ai_gateway_backend_in_flight', { backend })) === 0);
  expect(gateway.active()).toBe(0);
}

/** A promise for the next call that the backend gets. */
function nextCall(backend: ScriptedBackend): Promise<ScriptedCall> {
  return new Promise((resolve) => {
    backend.script(resolve);
  });
}

describe.each(KINDS_OF_STREAM)('a client of %s that leaves', (_, variable) => {
  const name = variable === 'OLLAMA_BASE_URL' ? 'ollama' : 'vllm';
  const token = (text: string): string =>
    name === 'ollama' ? ollamaToken(text) : openaiChunk({ content: text });

  it.each([true, false])(
    'before the backend has answered ends the request there (stream: %s)',
    async (stream) => {
      const backend = await setup.backend(() => undefined);
      const gateway = await setup.gateway({ env: { [variable]: backend.url } });
      const abort = new AbortController();
      const called = nextCall(backend);
      const response = gateway.chat({ stream }, { signal: abort.signal });
      const call = await called;
      abort.abort();
      await expect(response).rejects.toThrow();
      await call.closed;
      await expectFree(gateway, name);
    },
  );

  it.each([true, false])(
    'between headers and first token ends the request there (stream: %s)',
    async (stream) => {
      const backend = await setup.backend(() => undefined);
      const gateway = await setup.gateway({ env: { [variable]: backend.url } });
      const abort = new AbortController();
      const called = nextCall(backend);
      const response = gateway.chat({ stream }, { signal: abort.signal });
      const call = await called;
      call.res.flushHeaders();
      await eventually(() => call.socket.bytesWritten > 0);
      abort.abort();
      await expect(response).rejects.toThrow();
      await call.closed;
      await expectFree(gateway, name);
    },
  );

  it('in the middle of a stream stops the generation and counts as the client’s doing', async () => {
    const backend = await setup.backend(() => undefined);
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const abort = new AbortController();
    const called = nextCall(backend);
    const response = gateway.chat({ stream: true }, { signal: abort.signal });
    const call = await called;
    await call.write(token('one'));
    await openStream(await response).until('one');
    abort.abort();
    await call.closed;
    await expectFree(gateway, name);
    expect(await gateway.metric('ai_gateway_streams_total', { status: 'client_aborted' })).toBe(1);
    await eventually(() => gateway.logs.some(({ message }) => message === 'request'));
    const line = gateway.logs.find(({ fields }) => fields.route === '/v1/chat/completions');
    expect(line?.fields).toMatchObject({ outcome: 'client_aborted', model: 'm', backend: name });
  });

  it('in the middle of an answer in one piece stops the generation', async () => {
    const backend = await setup.backend(() => undefined);
    const gateway = await setup.gateway({ env: { [variable]: backend.url } });
    const abort = new AbortController();
    const called = nextCall(backend);
    const response = gateway.chat({}, { signal: abort.signal });
    const call = await called;
    await call.write(token('one'));
    abort.abort();
    await expect(response).rejects.toThrow();
    await call.closed;
    await expectFree(gateway, name);
  });
});

it('a client that leaves while it sends its request never reaches a backend', async () => {
  const backend = await setup.backend(() => undefined);
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"model":',
  );
  await eventually(() => socket.bytesWritten > 0 && !socket.connecting);
  socket.destroy();
  await eventually(() => gateway.logs.some(({ message }) => message === 'request'));
  expect(gateway.logs.find(({ message }) => message === 'request')?.fields).toMatchObject({ status: 499 });
  expect(backend.calls).toHaveLength(0);
});

it('a reset in place of an orderly close is a client that left, too', async () => {
  const backend = await setup.backend(() => undefined);
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const called = nextCall(backend);
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
  );
  const call = await called;
  await call.write(ollamaToken('one'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.resetAndDestroy();
  await call.closed;
  await expectFree(gateway, 'ollama');
});
