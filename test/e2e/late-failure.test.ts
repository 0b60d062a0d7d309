/** A backend fails when its answer has been told, or refused: the client hears one end, and nothing after it. */

import { describe, expect, it } from '@jest/globals';
import { openaiChunk, sse, type Script } from '../support/scripted-backend.ts';
import { createSetup, eventually } from '../support/setup.ts';
import { readStream } from '../support/sse.ts';
import { chatRequest, HEALTH_REQUEST, openWireClient } from '../support/wire-client.ts';

const setup = createSetup();
const LAST_CHUNK = '0\r\n\r\n';
const FINISHED = openaiChunk({ content: 'all' }) + openaiChunk({}, 'stop');
const FAULT = sse({ error: { message: 'the counters are lost', type: 'server_error', code: 500 } });

describe('a failure after the finish reason', () => {
  const LATE: readonly (readonly [string, Script])[] = [
    ['in the read that ends the body', ({ end }) => end(FINISHED + FAULT)],
    [
      'later, on a connection that stays open',
      async ({ write }) => {
        await write(FINISHED);
        await write(FAULT);
      },
    ],
    ['that is no event at all', ({ end }) => end(`${FINISHED}data: {"choi\n\n`)],
  ];

  it.each(LATE)('%s is told once, and the next answer follows it', async (_name, script) => {
    const backend = await setup.backend(script);
    const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
    const client = openWireClient(gateway.port);
    client.send(chatRequest({ stream: true }));
    await client.until(LAST_CHUNK);
    client.send(HEALTH_REQUEST);
    const seen = await client.until('{"status":"ok"}');
    const [answer = '', next = ''] = seen.split(LAST_CHUNK);
    expect(next).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer.match(/"finish_reason":"stop"/g)).toHaveLength(1);
    expect(answer.match(/"error":\{/g)).toHaveLength(1);
    expect(answer).not.toContain('[DONE]');
    client.socket.destroy();
    await eventually(() => gateway.active() === 0);
    expect(gateway.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

it('a break after the end of one of two answers is a failure: the other one is missing', async () => {
  const backend = await setup.backend(async ({ write, reset }) => {
    await write(FINISHED);
    reset();
  });
  const gateway = await setup.gateway({ env: { VLLM_BASE_URL: backend.url } });
  const stream = await readStream(await gateway.chat({ stream: true, n: 2 }));
  expect(stream).toMatchObject({ isDone: false, error: { code: 'upstream_connection_error' } });
});

describe('an answer in one piece that is larger than the limit', () => {
  const answer = JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', content: 'y'.repeat(3000) }, finish_reason: 'stop' }],
  });

  it('is a 502 with one line in the log, also when it came whole in one read', async () => {
    const backend = await setup.backend(({ res }) => {
      res.setHeader('content-type', 'application/json').end(answer);
    });
    const gateway = await setup.gateway({
      file: `
backends: [{ name: v, kind: vllm, url: "${backend.url}" }]
limits: { maxResponseBytes: 1kb }`,
    });
    const response = await gateway.chat();
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: 'upstream_invalid_response' } });
    await eventually(() => gateway.logs.some(({ message }) => message === 'request'));
    expect(gateway.logs.find(({ message }) => message === 'request')?.fields).toMatchObject({
      status: 502,
      backend: 'v',
    });
  });
});
