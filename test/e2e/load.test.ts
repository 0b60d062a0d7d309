/** Many clients at once, slow clients, and answers larger than any buffer. */

import { connect, type Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import { ollamaDone, ollamaToken, type ScriptedCall } from '../support/scripted-backend.ts';
import { createSetup, eventually, KINDS_OF_STREAM } from '../support/setup.ts';
import { openStream, parseStream, readStream } from '../support/sse.ts';

const setup = createSetup();

/** Ten words that only this prompt leads to. */
function wordsFor(prompt: string): string[] {
  return Array.from({ length: 10 }, (_, i) => `${prompt}/${String(i)} `);
}

function promptOf({ body }: ScriptedCall): string {
  return (body.messages as { content: string }[])[0]?.content ?? '';
}

it.each(KINDS_OF_STREAM)('200 streams of %s at once each get their own content', async (_, variable) => {
  const { saying } = await import('../support/scripted-backend.ts');
  const backend = await setup.backend((call) => saying(...wordsFor(promptOf(call)))(call));
  const gateway = await setup.gateway({ env: { [variable]: backend.url } });
  const prompts = Array.from({ length: 200 }, (__, i) => `client ${String(i)}`);
  const streams = await Promise.all(
    prompts.map(async (prompt) =>
      readStream(await gateway.chat({ stream: true, messages: [{ role: 'user', content: prompt }] })),
    ),
  );
  expect(streams.map(({ text }) => text)).toEqual(prompts.map((prompt) => wordsFor(prompt).join('')));
  expect(streams.every(({ isDone }) => isDone)).toBe(true);
  expect(await gateway.metric('ai_gateway_streams_total', { status: 'completed' })).toBe(200);
});

/** Opens a stream and reads nothing of it. */
function openUnread(port: number): Socket {
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const socket = connect({ port, host: '127.0.0.1' });
  socket.pause();
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
  );
  return socket;
}

it('a client that does not read stops its backend, and the others go on', async () => {
  const record = ollamaToken('x'.repeat(1000));
  let sent = 0;
  const backend = await setup.backend(async ({ write, res }) => {
    while (!res.destroyed && sent < 200_000_000) {
      await write(record.repeat(16));
      sent += record.length * 16;
    }
  });
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const socket = openUnread(gateway.port);
  // It stops when the buffers of the kernel are full: no more is sent through ten turns of probes.
  let before = -1;
  await eventually(async () => {
    const hasStopped = sent === before && sent > 0;
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return hasStopped;
  });
  expect(sent).toBeLessThan(64_000_000);
  backend.script(({ end }) => end(ollamaToken('quick') + ollamaDone()));
  expect((await readStream(await gateway.chat({ stream: true }))).text).toBe('quick');
  socket.destroy();
  await eventually(() => gateway.active() === 0);
});

it('a client that reads slowly gets every byte in the end', async () => {
  const words = Array.from({ length: 400 }, (_, i) => `${String(i)}:${'y'.repeat(20_000)} `);
  const backend = await setup.backend(async ({ write, end }) => {
    for (const word of words) await write(ollamaToken(word));
    end(ollamaDone());
  });
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const socket = openUnread(gateway.port);
  await eventually(() => backend.calls.length === 1);
  let raw = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    raw += text;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  socket.resume();
  await eventually(() => raw.endsWith('0\r\n\r\n'));
  socket.destroy();
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4).replace(/(^|\r\n)[0-9a-f]+\r\n/g, '');
  expect(parseStream(body).text).toBe(words.join(''));
});

it('a record of 16 MB passes; a larger one fails its own stream and no other', async () => {
  const large = 'z'.repeat(15 * 1024 * 1024);
  const backend = await setup.backend((call) => {
    const prompt = promptOf(call);
    if (prompt === 'large') call.end(ollamaToken(large) + ollamaDone());
    else if (prompt === 'too large') call.end(ollamaToken(large + large) + ollamaDone());
    else call.end(ollamaToken('small') + ollamaDone());
  });
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const ask = (content: string): Promise<Response> =>
    gateway.chat({ stream: true, messages: [{ role: 'user', content }] });
  const [passed, refused, other] = await Promise.all([ask('large'), ask('too large'), ask('small')]);
  expect((await readStream(passed)).text).toBe(large);
  expect(refused.status).toBe(502);
  expect(((await refused.json()) as { error: { code: string } }).error.code).toBe(
    'upstream_invalid_response',
  );
  expect((await readStream(other)).text).toBe('small');
});

it('connections to a backend are used again', async () => {
  const backend = await setup.backend(({ end }) => end(ollamaToken('x') + ollamaDone()));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  for (let i = 0; i < 20; i++) await readStream(await gateway.chat({ stream: true }));
  expect(backend.openSockets()).toBeLessThanOrEqual(3);
});

it('a kept connection that its backend has closed costs no request', async () => {
  const backend = await setup.backend(({ end }) => end(ollamaToken('x') + ollamaDone()));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  for (let i = 0; i < 50; i++) {
    expect((await gateway.chat()).status).toBe(200);
    // The server drops it at the moment in which the gateway may take it again.
    backend.calls.at(-1)?.socket.destroy();
  }
});

it('pipelined requests are answered in order, each on its own', async () => {
  const backend = await setup.backend((call) => call.end(ollamaToken(promptOf(call)) + ollamaDone()));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const request = (content: string): string => {
    const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content }] });
    return `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
  };
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  let raw = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    raw += text;
  });
  socket.write(request('first') + request('second') + request('third'));
  await eventually(() => raw.split('[DONE]').length === 4);
  socket.destroy();
  expect(raw.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  expect(raw.search('"first"')).toBeLessThan(raw.search('"second"'));
  expect(raw.search('"second"')).toBeLessThan(raw.search('"third"'));
});

it('HTTP/1.0 clients get the stream without chunks', async () => {
  const backend = await setup.backend(({ end }) => end(ollamaToken('old') + ollamaDone()));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const socket = connect({ port: gateway.port, host: '127.0.0.1' });
  let raw = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    raw += text;
  });
  socket.write(
    `POST /v1/chat/completions HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
  );
  await new Promise((resolve) => socket.once('close', resolve));
  expect(raw).not.toMatch(/transfer-encoding/i);
  expect(parseStream(raw.slice(raw.indexOf('\r\n\r\n') + 4))).toMatchObject({ text: 'old', isDone: true });
});

it('a stream can be read while it is written', async () => {
  const backend = await setup.backend(({ write }) => write(ollamaToken('begun')));
  const gateway = await setup.gateway({ env: { OLLAMA_BASE_URL: backend.url } });
  await openStream(await gateway.chat({ stream: true })).until('begun');
});
