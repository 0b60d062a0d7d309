/** Who is let in, what is taken for it, and what is left of it in the end. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/core/errors.ts';
import type { Permit, Settlement } from '../../src/core/client.ts';
import { clientWith, createTestLimits, demand, refusalOf } from './support.ts';

const usage = (prompt: number, completion: number): Settlement['usage'] => ({
  prompt,
  completion,
  cached: 0,
  reasoning: 0,
});
const DONE: Settlement = { error: undefined, usage: usage(30, 20), seenTokens: 20 };
const FAILED: Settlement = {
  error: new GatewayError('upstream_error', { message: 'it failed' }),
  usage: null,
  seenTokens: 0,
};
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

describe('admission', () => {
  it('gives no permit, and looks at nothing, where no limit holds', () => {
    const { admission } = createTestLimits();
    const looking = {
      model: 'm',
      estimateTokens: () => {
        throw new Error('nobody needs to know');
      },
    };
    expect(admission.admit(clientWith({}), looking)).toBeUndefined();
    const other = clientWith(
      {},
      { modelLimits: [{ models: 'big*', requestsPerMinute: 1, tokensPerMinute: 0 }] },
    );
    expect(admission.admit(other, looking)).toBeUndefined();
  });

  it('estimates tokens for limits of tokens only', async () => {
    const { admission } = createTestLimits();
    const looking = {
      model: 'm',
      estimateTokens: () => {
        throw new Error('nobody needs to know');
      },
    };
    await admission.admit(clientWith({ requestsPerMinute: 2, concurrency: 2 }), looking);
    expect(() => admission.admit(clientWith({ tokensPerDay: 2 }), looking)).toThrow('nobody needs');
  });

  it('takes from the limits of the key, of its models and of the gateway, or from none', async () => {
    const limits = createTestLimits({ requestsPerMinute: 10 });
    const modelLimits = [
      { models: 'big*', requestsPerMinute: 2, tokensPerMinute: 0 },
      { models: '*', requestsPerMinute: 0, tokensPerMinute: 1000 },
    ];
    const client = clientWith({ requestsPerMinute: 3 }, { modelLimits });
    const used = (): number[] =>
      ['all:requests', 'key:ann:requests', 'key:ann:big*:requests', 'key:ann:*:tokens'].map(limits.used);
    await limits.admission.admit(client, demand(40, 60, 'big-1'));
    await limits.admission.admit(client, demand(40, 60, 'some/big-1'));
    expect(used()).toEqual([2, 2, 2, 200]);
    const error = await refusalOf(limits.admission.admit(client, demand(40, 60, 'big-2')));
    expect(error.message).toContain('this API key with models `big*`: 2 requests per minute');
    expect(used()).toEqual([2, 2, 2, 200]);
    await limits.admission.admit(client, demand(40, 60, 'small'));
    expect(used()).toEqual([3, 3, 2, 300]);
  });

  it('keeps the keys apart, and the counters of a key when it is renamed', async () => {
    const { admission } = createTestLimits();
    const ann = clientWith({ requestsPerMinute: 1 });
    await admission.admit(ann, demand());
    await admission.admit({ ...ann, keyId: 'bob' }, demand());
    await refusalOf(admission.admit({ ...ann, name: 'anna' }, demand()));
    await refusalOf(admission.admit({ ...ann, keyId: 'bob' }, demand()));
  });

  it('lets in again when the minute is over', async () => {
    const { admission, advance } = createTestLimits();
    const client = clientWith({ requestsPerMinute: 1 });
    await admission.admit(client, demand());
    advance(MINUTE_MS - 1);
    await refusalOf(admission.admit(client, demand()));
    advance(1);
    await admission.admit(client, demand());
  });

  it('takes a new quota over with a reload, and what was used before it counts', async () => {
    const limits = createTestLimits();
    const client = clientWith({});
    expect(limits.admission.admit(client, demand())).toBeUndefined();
    limits.requota({ requestsPerMinute: 2 });
    await limits.admission.admit(client, demand());
    limits.requota({ requestsPerMinute: 1 });
    const error = await refusalOf(limits.admission.admit(client, demand()));
    expect(error.message).toContain('this gateway: 1 requests per minute');
    expect(limits.refused).toEqual(['requests']);
    limits.requota({});
    expect(limits.admission.admit(client, demand())).toBeUndefined();
  });
});

describe('a permit', () => {
  const client = clientWith({
    requestsPerMinute: 10,
    tokensPerMinute: 1000,
    concurrency: 5,
    tokensPerDay: 5000,
    tokensPerMonth: 9000,
  });

  interface Started {
    readonly permit: Permit;
    /** Requests, tokens of the minute, of the day, of the month, leases. */
    sums(): number[];
    advance(ms: number): void;
  }

  async function start(): Promise<Started> {
    const { admission, used, held, advance } = createTestLimits();
    const permit = await admission.admit(client, demand(40, 60));
    if (!permit) throw new Error('no limit holds');
    const keys = ['key:ann:requests', 'key:ann:tokens', 'key:ann:day:1970-01-01', 'key:ann:month:1970-01'];
    return { permit, sums: () => [...keys.map(used), held()], advance };
  }

  it('holds what the request may need', async () => {
    expect((await start()).sums()).toEqual([1, 100, 100, 100, 1]);
  });

  it.each<[string, Settlement, number[]]>([
    ['costs what the backend counted, when it is less', DONE, [1, 50, 50, 50, 0]],
    ['and when it is more', { ...DONE, usage: usage(300, 400) }, [1, 700, 700, 700, 0]],
    ['costs prompt and seen tokens when nobody counted', { ...DONE, usage: null }, [1, 60, 60, 60, 0]],
    [
      'costs what was estimated when nothing is known',
      { ...DONE, usage: null, seenTokens: 0 },
      [1, 100, 100, 100, 0],
    ],
    ['costs nothing when nothing came of it', FAILED, [0, 0, 0, 0, 0]],
    ['costs what was seen when it broke off', { ...FAILED, seenTokens: 7 }, [1, 47, 47, 47, 0]],
    [
      'costs no request more for a failure that was counted',
      { ...FAILED, usage: usage(1, 2) },
      [1, 3, 3, 3, 0],
    ],
  ])('%s', async (_, settlement, expected) => {
    const { permit, sums } = await start();
    permit.settle(settlement);
    expect(sums()).toEqual(expected);
  });

  it('is settled once', async () => {
    const { permit, sums } = await start();
    permit.settle(FAILED);
    permit.settle(FAILED);
    permit.settle({ ...DONE, usage: usage(500, 0) });
    expect(sums()).toEqual([0, 0, 0, 0, 0]);
  });

  it('gives nothing back to a later minute, and charges it for what was too little', async () => {
    const failing = await start();
    failing.advance(MINUTE_MS);
    failing.permit.settle(FAILED);
    expect(failing.sums()).toEqual([0, 0, 0, 0, 0]);
    const long = await start();
    long.advance(3 * MINUTE_MS);
    long.permit.settle({ ...DONE, usage: usage(40, 760) });
    expect(long.sums()).toEqual([0, 700, 800, 800, 0]);
  });
});

describe('budgets', () => {
  const at = (time: string): number => Date.parse(time);

  it('are those of a day and of a month of UTC', async () => {
    const limits = createTestLimits({}, at('2026-01-31T23:59:00Z'));
    const client = clientWith({ tokensPerDay: 100, tokensPerMonth: 150 });
    await limits.admission.admit(client, demand(40, 60));
    const day = await refusalOf(limits.admission.admit(client, demand(40, 0)));
    expect(day.message).toContain('in 1m0s');
    limits.advance(MINUTE_MS);
    await limits.admission.admit(client, demand(40, 60));
    limits.advance(DAY_MS);
    const month = await refusalOf(limits.admission.admit(client, demand(40, 60)));
    expect(month.message).toMatch(/150 tokens a month: 50 are left.* first of the month/);
    expect(month).toMatchObject({ code: 'insufficient_quota', retryIsFutile: true, status: 429 });
    expect(month.retryAfterMs).toBe(27 * DAY_MS);
    limits.advance(27 * DAY_MS);
    await limits.admission.admit(client, demand(40, 60));
  });

  it('a request belongs to the day on which it began', async () => {
    const limits = createTestLimits({}, at('2026-02-28T23:59:59Z'));
    const client = clientWith({ tokensPerDay: 1000 });
    const permit = await limits.admission.admit(client, demand(40, 60));
    limits.advance(1000);
    permit?.settle({ error: undefined, usage: usage(100, 700), seenTokens: 0 });
    expect(limits.used('key:ann:day:2026-03-01')).toBe(0);
  });
});

describe('after any number of requests, however they ended', () => {
  const outcome = fc.record({
    prompt: fc.nat(300),
    answer: fc.nat(300),
    model: fc.constantFrom('big', 'small'),
    end: fc.constantFrom('done', 'uncounted', 'failed', 'broken', 'twice', 'never'),
    used: fc.nat(900),
    waitMs: fc.constantFrom(0, 0, 0, 20_000, 60_000, 3_600_000),
  });

  it('no lease is left but of those that go on, and no counter is below what they cost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(outcome, { minLength: 1, maxLength: 120 }), async (outcomes) => {
        const limits = createTestLimits({ tokensPerMonth: 1_000_000 });
        const client = clientWith(
          { requestsPerMinute: 20, tokensPerMinute: 3000, concurrency: 15, tokensPerDay: 20_000 },
          { modelLimits: [{ models: 'big', requestsPerMinute: 9, tokensPerMinute: 0 }] },
        );
        let goingOn = 0;
        let spent = 0;
        for (const { prompt, answer, model, end, used, waitMs } of outcomes) {
          const permit = await Promise.resolve(
            limits.admission.admit(client, demand(prompt, answer, model)),
          ).catch(() => undefined);
          if (!permit) continue;
          if (end === 'never') {
            goingOn++;
            spent += Math.max(1, prompt + answer);
          } else if (end === 'done' || end === 'twice') {
            const settlement = { error: undefined, usage: usage(used, 0), seenTokens: 0 };
            permit.settle(settlement);
            if (end === 'twice') permit.settle(FAILED);
            spent += used;
          } else if (end === 'failed') {
            permit.settle(FAILED);
          } else {
            permit.settle({ error: end === 'broken' ? FAILED.error : undefined, usage: null, seenTokens: 9 });
            spent += prompt + 9;
          }
          limits.advance(waitMs);
        }
        expect(limits.held()).toBe(goingOn);
        expect(limits.used('all:month:1970-01')).toBe(spent);
        for (const key of ['requests', 'tokens', 'big:requests', 'day:1970-01-01']) {
          expect(limits.used(`key:ann:${key}`)).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
