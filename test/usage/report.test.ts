/** What rows of usage come to: filtered, grouped, priced, as JSON and as CSV. */

import { describe, expect, it } from '@jest/globals';
import { isMatch } from '../../src/admission/models.ts';
import type { Prices, UsageQuery, UsageReport, UsageRow } from '../../src/core/usage.ts';
import { toCsv } from '../../src/usage/csv.ts';
import { reportOf } from '../../src/usage/report.ts';
import { rowOf } from '../support/usage.ts';

const ALL: UsageQuery = {
  from: undefined,
  to: undefined,
  key: undefined,
  model: undefined,
  backend: undefined,
  groupBy: ['day', 'key', 'model', 'backend'],
};
const FREE: Prices = { currency: 'USD', models: {} };

const ROWS: readonly UsageRow[] = [
  rowOf({ day: '2026-08-20', requests: 2, errors: { client_closed: 1 } }),
  rowOf({ backend: 'openai', model: 'gpt', inputTokens: 1_000_000, cachedTokens: 400_000 }),
  rowOf({ keyId: 'k2', key: 'team', errors: { client_closed: 1, upstream_error: 1 } }),
  rowOf({ requests: 4 }),
];

const ask = (query: Partial<UsageQuery> = {}, prices = FREE, rows = ROWS): UsageReport =>
  reportOf(rows, { ...ALL, ...query }, prices, isMatch);

describe('a usage report', () => {
  it('has a line for each day, key, model and backend, and their totals', () => {
    const { lines, totals } = ask();
    expect(lines.map(({ day, key, model, requests }) => [day, key, model, requests])).toEqual([
      ['2026-08-20', 'default', 'm', 2],
      ['2026-08-21', 'default', 'gpt', 1],
      ['2026-08-21', 'default', 'm', 4],
      ['2026-08-21', 'team', 'm', 1],
    ]);
    expect(totals).toEqual({
      requests: 8,
      errors: { client_closed: 2, upstream_error: 1 },
      inputTokens: 1_000_015,
      outputTokens: 12,
      cachedTokens: 400_000,
      reasoningTokens: 0,
      cost: null,
    });
  });

  it.each<[Partial<UsageQuery>, number]>([
    [{ from: '2026-08-21' }, 6],
    [{ to: '2026-08-20' }, 2],
    [{ key: 'team' }, 1],
    [{ key: 'k2' }, 1],
    [{ model: 'g*' }, 1],
    [{ backend: 'ollama' }, 7],
    [{ backend: 'o*', from: '2026-08-21', key: 'default' }, 5],
    [{ model: 'nobody' }, 0],
  ])('counts only what fits %j', (query, requests) => {
    expect(ask(query).totals.requests).toBe(requests);
  });

  it('adds up what it is not grouped by', () => {
    const { lines } = ask({ groupBy: ['backend'] });
    expect(lines.map(({ backend, requests }) => [backend, requests])).toEqual([
      ['ollama', 7],
      ['openai', 1],
    ]);
    expect(lines[0]).not.toHaveProperty('day');
    expect(ask({ groupBy: [] }).lines).toHaveLength(1);
  });

  it('tells keys of one name apart, and shows the last name of one that was renamed', () => {
    const rows = [
      rowOf({ keyId: 'a', key: 'old' }),
      rowOf({ keyId: 'a', key: 'new' }),
      rowOf({ keyId: 'b', key: 'new' }),
    ];
    const { lines } = ask({ groupBy: ['key'] }, FREE, rows);
    expect(lines.map(({ keyId, key, requests }) => [keyId, key, requests])).toEqual([
      ['a', 'new', 2],
      ['b', 'new', 1],
    ]);
  });

  it('costs what the first fitting price says, cached input apart', () => {
    const prices: Prices = {
      currency: 'EUR',
      models: { 'openai/*': { input: 2.5, cached: 1.25, output: 10 }, gpt: { input: 100, output: 100 } },
    };
    const { lines, totals, currency } = ask({ groupBy: ['model'] }, prices);
    expect(lines.map(({ model, cost }) => [model, cost])).toEqual([
      ['gpt', (600_000 * 2.5 + 400_000 * 1.25 + 3 * 10) / 1e6],
      ['m', null],
    ]);
    expect({ cost: totals.cost, currency }).toEqual({ cost: 2.00003, currency: 'EUR' });
  });

  it('takes cached input for input where it has no price of its own', () => {
    const { totals } = ask({ model: 'gpt' }, { currency: 'USD', models: { gpt: { input: 2, output: 0 } } });
    expect(totals.cost).toBe(2);
  });
});

describe('as CSV', () => {
  it('it has the same lines, with the columns it is grouped by first', () => {
    const prices: Prices = { currency: 'USD', models: { gpt: { input: 1, output: 0 } } };
    expect(toCsv(ask({ groupBy: ['key', 'model'] }, prices))).toBe(
      'key,keyId,model,requests,errors,inputTokens,outputTokens,cachedTokens,reasoningTokens,cost,currency\r\n' +
        'default,default,gpt,1,0,1000000,3,400000,0,1,USD\r\n' +
        'default,default,m,6,1,10,6,0,0,,USD\r\n' +
        'team,k2,m,1,2,5,3,0,0,,USD\r\n',
    );
  });

  it.each([
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['=cmd|x', "'=cmd|x"],
    ['@org/model', "'@org/model"],
    ['-1', "'-1"],
  ])('the name %j is %j, and no formula', (key, cell) => {
    const csv = toCsv(ask({ groupBy: ['key'] }, FREE, [rowOf({ key })]));
    expect(csv.split('\r\n')[1]).toMatch(
      new RegExp(`^${cell.replace(/[|]/g, '\\|')},default,1,0,5,3,0,0,,$`),
    );
  });
});
