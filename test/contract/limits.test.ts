/** openapi.yaml and what a client with limits gets. */

import { expect, it } from '@jest/globals';
import type { Limits } from '../../src/core/client.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { keyOf } from '../support/gateway.ts';
import { failing, saying, type Script } from '../support/scripted-backend.ts';
import { createSetup } from '../support/setup.ts';
import { expectAnswer, expectStream } from './answers.ts';

const setup = createSetup();
const CHAT = 'POST /v1/chat/completions';

async function start(
  limits: Partial<Limits>,
  script: Script = saying('hi'),
  env: Readonly<Record<string, string>> = {},
): Promise<(body?: JsonObject) => Promise<Response>> {
  const backend = await setup.backend(script);
  const gateway = await setup.gateway({
    clients: { ann: { limits } },
    env: { VLLM_BASE_URL: backend.url, ...env },
  });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${keyOf('ann')}` };
  return (body = {}) => gateway.chat(body, { headers });
}

const GENEROUS = { requestsPerMinute: 100, tokensPerMinute: 100_000 };

it('an answer and a stream tell what is left', async () => {
  const ask = await start(GENEROUS);
  const { headers } = await expectAnswer(CHAT, await ask());
  expect([...headers.keys()].filter((name) => name.startsWith('x-ratelimit-'))).toHaveLength(6);
  const stream = await ask({ stream: true });
  expect(stream.headers.get('x-ratelimit-remaining-requests')).toBe('98');
  await expectStream(CHAT, stream);
});

it.each([
  [400, failing(400, { error: { message: 'no' } })],
  [404, failing(404, { error: { message: 'no such model' } })],
  [429, failing(429, { error: { message: 'slow down' } })],
  [502, failing(500, { error: { message: 'broken' } })],
  [503, failing(503, { error: { message: 'busy' } })],
])('so does a failure with status %d', async (status, script) => {
  const ask = await start(GENEROUS, script);
  const answer = await expectAnswer(CHAT, await ask());
  expect(answer.status).toBe(status);
  expect(answer.headers.get('x-ratelimit-limit-requests')).toBe('100');
});

it.each<[string, Partial<Limits>, string | null]>([
  ['requests', { requestsPerMinute: 1 }, null],
  ['tokens', { tokensPerMinute: 300 }, null],
  ['a large request', { tokensPerMinute: 200 }, 'false'],
  ['a budget', { tokensPerDay: 260 }, 'false'],
])('a refusal for want of %s is described', async (_, limits, shouldRetry) => {
  const ask = await start(limits);
  await (await ask({ max_tokens: 250 })).text();
  const answer = await expectAnswer(CHAT, await ask({ max_tokens: 299 }));
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([429, shouldRetry]);
});

it('so is that nobody can tell what is left', async () => {
  const ask = await start(GENEROUS, undefined, {
    REDIS_URL: 'redis://127.0.0.1:1',
    REDIS_FAIL_CLOSED: 'true',
  });
  const answer = await expectAnswer(CHAT, await ask());
  expect([answer.status, answer.body]).toMatchObject([503, { error: { code: 'limits_unavailable' } }]);
});
