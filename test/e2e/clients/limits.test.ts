/** What the published `openai` package makes of the limits of its key. */

import { describe, expect, it } from '@jest/globals';
import OpenAI, { InternalServerError, RateLimitError } from 'openai';
import type { Limits } from '../../../src/core/client.ts';
import { keyOf, type TestGateway } from '../../support/gateway.ts';
import { ollamaDone, ollamaToken, saying, type ScriptedCall } from '../../support/scripted-backend.ts';
import { createSetup, eventually } from '../../support/setup.ts';
import { failureOf } from './failure-of.ts';

const setup = createSetup();
const HELLO = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello' }] };

interface Opened {
  readonly gateway: TestGateway;
  readonly calls: readonly ScriptedCall[];
  readonly client: OpenAI;
  /** Requests of the client that were answered with this status. */
  answered(status: number): Promise<number>;
}

async function open(limits: Partial<Limits>, options: { readonly isHeld?: boolean } = {}): Promise<Opened> {
  const backend = await setup.backend(options.isHeld ? () => undefined : saying('hi'));
  const gateway = await setup.gateway({
    clients: { ann: { limits } },
    env: { OLLAMA_BASE_URL: backend.url },
  });
  return {
    gateway,
    calls: backend.calls,
    client: new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: keyOf('ann') }),
    answered: (status) =>
      gateway.metric('http_requests_total', {
        method: 'POST',
        route: '/v1/chat/completions',
        status: String(status),
      }),
  };
}

describe('the openai package', () => {
  it('throws RateLimitError with the headers and the reason', async () => {
    const { client } = await open({ requestsPerMinute: 1 });
    const { response } = await client.chat.completions.create(HELLO).withResponse();
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    const error = await failureOf(client.chat.completions.create(HELLO, { maxRetries: 0 }));
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'requests' });
    const { headers, requestID } = error as RateLimitError;
    expect(headers.get('x-ratelimit-limit-requests')).toBe('1');
    expect(Number(headers.get('retry-after-ms'))).toBeGreaterThan(30_000);
    expect(requestID).toMatch(/^req_/);
  });

  it('tries again by itself when it is told to, and is let in when there is room', async () => {
    const { client, calls, answered } = await open({ concurrency: 1 }, { isHeld: true });
    const end = (call: ScriptedCall | undefined): void => call?.end(ollamaToken('x') + ollamaDone());
    const first = client.chat.completions.create(HELLO);
    await eventually(() => calls.length === 1);
    const second = client.chat.completions.create(HELLO);
    await eventually(async () => (await answered(429)) === 1);
    end(calls[0]);
    await eventually(() => calls.length === 2);
    end(calls[1]);
    expect((await first).choices[0]?.message.content).toBe('x');
    expect((await second).choices[0]?.message.content).toBe('x');
    expect(await answered(429)).toBe(1);
  });

  it.each<[string, Partial<Limits>, object]>([
    [
      'a budget that is spent',
      { tokensPerDay: 300 },
      { code: 'insufficient_quota', type: 'insufficient_quota' },
    ],
    [
      'a request that is too large',
      { tokensPerMinute: 100 },
      { code: 'rate_limit_exceeded', type: 'tokens' },
    ],
  ])('does not try again in vain: %s', async (_, limits, expected) => {
    const { client, calls, answered } = await open(limits);
    const error = await failureOf(client.chat.completions.create({ ...HELLO, max_completion_tokens: 400 }));
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject(expected);
    expect([await answered(429), calls.length]).toEqual([1, 0]);
  });

  it('sees a store that is gone as a failure of the server, when limits fail closed', async () => {
    const backend = await setup.backend(saying('hi'));
    const gateway = await setup.gateway({
      clients: { ann: { limits: { requestsPerMinute: 5 } }, bob: {} },
      env: { OLLAMA_BASE_URL: backend.url, REDIS_URL: 'redis://127.0.0.1:1', REDIS_FAIL_CLOSED: 'true' },
    });
    const ask = (name: string): Promise<unknown> =>
      new OpenAI({
        baseURL: `${gateway.url}/v1`,
        apiKey: keyOf(name),
        maxRetries: 0,
      }).chat.completions.create(HELLO);
    const error = await failureOf(ask('ann'));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 503, code: 'limits_unavailable' });
    expect((error as InternalServerError).headers.get('retry-after')).toBe('1');
    // Who has no limit needs no store.
    await ask('bob');
    expect(await gateway.metric('ai_gateway_limits_store_up')).toBe(0);
  });
});
