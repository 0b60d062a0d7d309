/** Limits on silence, and heartbeats in it. Time is the test's own. */

import { describe, expect, it } from '@jest/globals';
import {
  ollamaDone,
  ollamaToken,
  openaiChunk,
  saying,
  type ScriptedBackend,
  type ScriptedCall,
} from '../support/scripted-backend.ts';
import { createSetup, KINDS_OF_STREAM } from '../support/setup.ts';
import { openStream, parseStream, readStream } from '../support/sse.ts';

const setup = createSetup();

/** A backend that says nothing by itself, and the promise of its next call. */
async function silentBackend(): Promise<{ backend: ScriptedBackend; called: Promise<ScriptedCall> }> {
  let onCall: (call: ScriptedCall) => void;
  const called = new Promise<ScriptedCall>((resolve) => {
    onCall = resolve;
  });
  const backend = await setup.backend((call) => onCall(call));
  return { backend, called };
}

async function codeOf(response: Response): Promise<[number, string]> {
  const { error } = (await response.json()) as { error: { code: string } };
  return [response.status, error.code];
}

const LIMITS = {
  FIRST_TOKEN_TIMEOUT_MS: '1500',
  IDLE_TIMEOUT_MS: '700',
  TOTAL_TIMEOUT_MS: '60000',
  COMMIT_AFTER_MS: '0',
};

describe.each(KINDS_OF_STREAM)('a silent %s', (_, variable) => {
  const token = (text: string): string =>
    variable === 'OLLAMA_BASE_URL' ? ollamaToken(text) : openaiChunk({ content: text });

  it.each([true, false])('is given up when the first token takes too long (stream: %s)', async (stream) => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { [variable]: backend.url, ...LIMITS },
      isClockStopped: true,
    });
    const response = gateway.chat({ stream });
    const call = await called;
    gateway.advance(1499);
    expect(call.res.closed).toBe(false);
    gateway.advance(1);
    expect(await codeOf(await response)).toEqual([504, 'upstream_first_token_timeout']);
    await call.closed;
  });

  it('is given up when it drips bytes that are no token', async () => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { [variable]: backend.url, ...LIMITS },
      isClockStopped: true,
    });
    const response = gateway.chat({ stream: true });
    const call = await called;
    for (const byte of token('never').slice(0, 15)) {
      await call.write(byte);
      gateway.advance(100);
    }
    expect(await codeOf(await response)).toEqual([504, 'upstream_first_token_timeout']);
  });

  it('is given up in the middle of a stream, which says so', async () => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { [variable]: backend.url, ...LIMITS },
      isClockStopped: true,
    });
    const response = gateway.chat({ stream: true });
    const call = await called;
    await call.write(token('one'));
    const open = openStream(await response);
    await open.until('one');
    gateway.advance(1); // sees the token
    gateway.advance(699);
    expect(call.res.closed).toBe(false);
    await call.write(token('two'));
    await open.until('two');
    gateway.advance(1);
    gateway.advance(700);
    const stream = parseStream(await open.rest());
    expect(stream).toMatchObject({ text: 'onetwo', isDone: false, error: { code: 'upstream_idle_timeout' } });
    await call.closed;
    expect(await gateway.metric('ai_gateway_streams_total', { status: 'timeout' })).toBe(1);
  });

  it('is replaced by another backend when the first token takes too long', async () => {
    const { backend, called } = await silentBackend();
    const good = await setup.backend(saying('fine'));
    const kind = variable === 'OLLAMA_BASE_URL' ? 'ollama' : 'vllm';
    const gateway = await setup.gateway({
      env: LIMITS,
      file: `
backends:
  - { name: silent, kind: ${kind}, url: "${backend.url}", weight: 1000 }
  - { name: good, kind: ${kind}, url: "${good.url}", weight: 0.001 }`,
      isClockStopped: true,
    });
    const response = gateway.chat({ stream: true });
    await called;
    gateway.advance(1500);
    expect(await readStream(await response)).toMatchObject({ text: 'fine', isDone: true });
  });
});

it('a stream that never ends is ended by the limit on the whole', async () => {
  const { backend, called } = await silentBackend();
  const gateway = await setup.gateway({
    env: { OLLAMA_BASE_URL: backend.url, TOTAL_TIMEOUT_MS: '2000' },
    isClockStopped: true,
  });
  const response = gateway.chat({ stream: true });
  const call = await called;
  await call.write(ollamaToken('x'));
  const open = openStream(await response);
  for (let i = 0; i < 4; i++) {
    await call.write(ollamaToken(`t${String(i)}`));
    await open.until(`t${String(i)}`);
    gateway.advance(500);
  }
  expect(parseStream(await open.rest()).error?.code).toBe('upstream_total_timeout');
});

it('limits can be a backend’s own, and 0 turns one off', async () => {
  const { backend, called } = await silentBackend();
  const gateway = await setup.gateway({
    env: { FIRST_TOKEN_TIMEOUT_MS: '1000' },
    file: `backends: [{ name: b, kind: ollama, url: "${backend.url}", timeouts: { firstTokenMs: 0, totalMs: 0 } }]`,
    isClockStopped: true,
  });
  const response = gateway.chat();
  const call = await called;
  gateway.advance(86_400_000);
  call.end(ollamaToken('late') + ollamaDone());
  expect((await response).status).toBe(200);
});

it('an answer in one piece may take its time to come, and not fall silent', async () => {
  const { backend, called } = await silentBackend();
  const gateway = await setup.gateway({
    env: { VLLM_BASE_URL: backend.url, ...LIMITS },
    isClockStopped: true,
  });
  const response = gateway.chat();
  const call = await called;
  call.res.setHeader('content-type', 'application/json');
  for (const piece of ['{"object":"chat.completion",', ' ', ' ', ' ', ' ']) {
    await call.write(piece);
    await fetch(`${gateway.url}/health`); // a round trip, after which the gateway has read what was there
    gateway.advance(600);
  }
  gateway.advance(700);
  expect(await codeOf(await response)).toEqual([504, 'upstream_idle_timeout']);
});

describe('heartbeats', () => {
  it('keep a silent stream open, before the first token and inside', async () => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, COMMIT_AFTER_MS: '30000', HEARTBEAT_MS: '15000' },
      isClockStopped: true,
    });
    const response = gateway.chat({ stream: true });
    const call = await called;
    gateway.advance(29_999);
    gateway.advance(1);
    const open = openStream(await response); // committed without a token
    await open.until(': keep-alive');
    gateway.advance(15_000);
    await open.until(': keep-alive\n\n: keep-alive');
    await call.write(ollamaToken('late'));
    await open.until('late');
    gateway.advance(1);
    gateway.advance(15_000);
    await open.until('late"},"finish_reason":null}]}\n\n: keep-alive');
    call.end(ollamaDone());
    const stream = parseStream(await open.rest());
    expect(stream).toMatchObject({ text: 'late', isDone: true });
    expect(stream.comments).toHaveLength(3);
  });

  it('are not sent while tokens flow', async () => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, HEARTBEAT_MS: '1000' },
      isClockStopped: true,
    });
    const response = gateway.chat({ stream: true });
    const call = await called;
    await call.write(ollamaToken('t0'));
    const open = openStream(await response);
    for (let i = 1; i < 5; i++) {
      await call.write(ollamaToken(`t${String(i)}`));
      await open.until(`t${String(i)}`);
      gateway.advance(900);
    }
    call.end(ollamaDone());
    expect(parseStream(await open.rest()).comments).toEqual([]);
  });

  it('commit: a backend that fails after one is told in the stream', async () => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, COMMIT_AFTER_MS: '1000' },
      isClockStopped: true,
    });
    const response = gateway.chat({ stream: true });
    const call = await called;
    call.res.flushHeaders();
    gateway.advance(1000);
    const open = openStream(await response);
    await open.until('keep-alive');
    call.reset();
    expect(parseStream(await open.rest())).toMatchObject({
      isDone: false,
      error: { code: 'upstream_connection_error' },
    });
  });

  it('are not sent into an answer in one piece', async () => {
    const { backend, called } = await silentBackend();
    const gateway = await setup.gateway({
      env: { OLLAMA_BASE_URL: backend.url, COMMIT_AFTER_MS: '1000' },
      isClockStopped: true,
    });
    const response = gateway.chat();
    const call = await called;
    gateway.advance(5000);
    call.end(ollamaToken('x') + ollamaDone());
    expect((await response).headers.get('content-type')).toMatch(/json/);
  });
});
