/** What a client is told of its limits: headers on every answer, and why it was not let in. */

import { describe, expect, it } from '@jest/globals';
import { duration } from '../../src/admission/rate-headers.ts';
import { clientWith, createTestLimits, demand, refusalOf } from './support.ts';

describe('durations', () => {
  it.each([
    [0, '0s'],
    [0.2, '1ms'],
    [20, '20ms'],
    [999, '999ms'],
    [1000, '1s'],
    [1500, '1.5s'],
    [59_999.5, '1m0s'],
    [360_000, '6m0s'],
    [61_234, '1m1.234s'],
    [26_103_000, '7h15m3s'],
    [86_400_000, '24h0m0s'],
  ])('%d ms are written as OpenAI does: %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('the headers', () => {
  it('tell what is left of requests and of tokens', async () => {
    const { admission, advance } = createTestLimits();
    const client = clientWith({ requestsPerMinute: 10, tokensPerMinute: 1000 });
    await admission.admit(client, demand(40, 60));
    advance(15_500);
    expect((await admission.admit(client, demand(40, 60)))?.headers).toEqual({
      'x-ratelimit-limit-requests': '10',
      'x-ratelimit-remaining-requests': '8',
      'x-ratelimit-reset-requests': '44.5s',
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '800',
      'x-ratelimit-reset-tokens': '44.5s',
    });
  });

  it('are of one sort where the other has no limit, and none where only concurrency has one', async () => {
    const { admission } = createTestLimits();
    const requests = await admission.admit(clientWith({ requestsPerMinute: 10 }), demand());
    expect(Object.keys(requests?.headers ?? {})).toHaveLength(3);
    const slots = await admission.admit(clientWith({ concurrency: 10 }, { keyId: 'bob' }), demand());
    expect(slots?.headers).toEqual({});
  });

  it('show the tightest limit of each sort, budgets among those of tokens', async () => {
    const { admission } = createTestLimits({ requestsPerMinute: 5, tokensPerMinute: 700 });
    const modelLimits = [{ models: 'big', requestsPerMinute: 3, tokensPerMinute: 0 }];
    const client = clientWith({ requestsPerMinute: 4, tokensPerDay: 650 }, { modelLimits });
    const small = await admission.admit(client, demand(40, 60, 'small'));
    expect(small?.headers).toMatchObject({
      'x-ratelimit-limit-requests': '4',
      'x-ratelimit-remaining-requests': '3',
      'x-ratelimit-limit-tokens': '650',
      'x-ratelimit-remaining-tokens': '550',
      'x-ratelimit-reset-tokens': '24h0m0s',
    });
    const big = await admission.admit(client, demand(40, 60, 'big'));
    // Two of the key's four, two of the pattern's three.
    expect(big?.headers).toMatchObject({ 'x-ratelimit-remaining-requests': '2' });
  });
});

describe('a refusal', () => {
  it('says which limit it was, how much it is, and when it is free again', async () => {
    const { admission, advance, refused } = createTestLimits();
    const client = clientWith({ requestsPerMinute: 1 });
    await admission.admit(client, demand());
    advance(20_000);
    const error = await refusalOf(admission.admit(client, demand()));
    expect(error).toMatchObject({
      status: 429,
      type: 'requests',
      code: 'rate_limit_exceeded',
      message: 'Rate limit reached for this API key: 1 requests per minute, 1 used. Try again in 40s.',
      retryAfterMs: 40_000,
      retryAfterSeconds: 40,
      retryIsFutile: false,
      headers: { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '40s' },
    });
    expect(refused).toEqual(['requests']);
  });

  it('for tokens says how many the request may take', async () => {
    const { admission, refused } = createTestLimits();
    const client = clientWith({ tokensPerMinute: 150 });
    await admission.admit(client, demand(40, 60));
    const error = await refusalOf(admission.admit(client, demand(40, 60)));
    expect(error).toMatchObject({ status: 429, type: 'tokens', code: 'rate_limit_exceeded' });
    expect(error.message).toBe(
      'Rate limit reached for this API key: 150 tokens per minute, 100 used, and this request may take ' +
        'about 100. Try again in 1m0s.',
    );
    expect(error.headers).toMatchObject({ 'x-ratelimit-remaining-tokens': '50' });
    expect(refused).toEqual(['tokens']);
  });

  it('of a request that can never fit says so, and that to try again is futile', async () => {
    const { admission } = createTestLimits();
    const large = await refusalOf(admission.admit(clientWith({ tokensPerMinute: 99 }), demand(40, 60)));
    expect(large).toMatchObject({ type: 'tokens', code: 'rate_limit_exceeded', retryIsFutile: true });
    expect(large.message).toMatch(/^Request too large .*99 tokens per minute.*about 100.*max_tokens/);
    const budget = await refusalOf(admission.admit(clientWith({ tokensPerDay: 99 }), demand(40, 60)));
    expect(budget).toMatchObject({
      code: 'insufficient_quota',
      retryIsFutile: true,
      retryAfterMs: undefined,
    });
    expect(budget.message).toMatch(/99 tokens a day: 99 are left.*max_tokens/);
  });

  it('takes the largest number that a client can write for what it is', async () => {
    const { admission } = createTestLimits();
    const client = clientWith({ tokensPerMinute: 1e12 });
    const error = await refusalOf(
      Promise.all([admission.admit(client, demand(1, 1e300)), admission.admit(client, demand(1, 1))]),
    );
    expect(error.message).toContain('1000000000000 used');
  });

  it('for concurrency says when to try again', async () => {
    const { admission, refused } = createTestLimits();
    const client = clientWith({ concurrency: 2 });
    await admission.admit(client, demand());
    const permit = await admission.admit(client, demand());
    const error = await refusalOf(admission.admit(client, demand()));
    expect(error).toMatchObject({
      status: 429,
      type: 'requests',
      code: 'rate_limit_exceeded',
      retryAfterMs: 1000,
    });
    expect(error.message).toMatch(/Concurrency limit reached for this API key: 2 requests at the same time/);
    expect(refused).toEqual(['concurrency']);
    permit?.settle({ error: undefined, usage: null, seenTokens: 0 });
    await admission.admit(client, demand());
  });

  it('tells of several limits the one that is in the way for the longest time', async () => {
    const { admission } = createTestLimits();
    const client = clientWith({ requestsPerMinute: 1, tokensPerDay: 150, concurrency: 1 });
    await admission.admit(client, demand(40, 60));
    expect(await refusalOf(admission.admit(client, demand(40, 60)))).toMatchObject({
      code: 'insufficient_quota',
    });
  });

  it('names no other key', async () => {
    const { admission } = createTestLimits({ requestsPerMinute: 1 });
    await admission.admit(clientWith({}, { name: 'secret-team', keyId: 'secret-id' }), demand());
    const error = await refusalOf(admission.admit(clientWith({}), demand()));
    expect(error.message).toContain('this gateway: 1 requests per minute');
    expect(JSON.stringify([error.message, error.headers])).not.toMatch(/secret|ann/);
  });
});
