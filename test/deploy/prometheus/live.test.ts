/** Every panel and every rule gets an answer from a Prometheus that scraped a gateway with traffic. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import {
  describeWithPrometheus,
  startPrometheus,
  type Sample,
  type TestPrometheus,
} from '../../support/prometheus.ts';
import { RULES } from '../../support/promtool.ts';
import { eventually } from '../../support/setup.ts';
import { asSent, dashboard, panels } from './dashboard.ts';
import { startTraffic, type Traffic } from './traffic.ts';

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
}

const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const records = rules.filter(({ record }) => record !== undefined);

const variables = dashboard.templating.list.filter(({ type }) => type === 'query');

/** What an alert looks at, whether it is above its limit or not. */
const withoutLimits = (expr: string): string =>
  expr.replace(/ (>|<|==) [\d.]+/g, '').replace(/^absent\((.*)\)$/, '$1');

/** Labels by metric, in the order of the alphabet. */
function documentedLabels(): Readonly<Record<string, readonly string[]>> {
  const text = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const rows = text.matchAll(/^\| `((?:ai|http)_\w+)` \| \w+ \| (.+?) \|/gm);
  return Object.fromEntries(
    [...rows].map(([, name = '', labels = '']) => [
      name,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label).sort(),
    ]),
  );
}

describeWithPrometheus('before a Prometheus that scraped a gateway with traffic', () => {
  let traffic: Traffic;
  let prometheus: TestPrometheus;

  /** Resolves when something was scraped, and the rules were computed, after now. */
  async function scraped(): Promise<void> {
    const nowMs = Date.now();
    const isNewer = (seconds = 0): boolean => seconds * 1000 > nowMs;
    await eventually(async () => {
      const [sample] = await prometheus.query('timestamp(ai_gateway_build_info)');
      return isNewer(sample?.value);
    });
    const scrapedMs = Date.now();
    await eventually(async () =>
      (await prometheus.rules()).every(({ evaluatedMs }) => evaluatedMs > scrapedMs),
    );
  }

  beforeAll(async () => {
    traffic = await startTraffic();
    prometheus = await startPrometheus('gateway', [traffic.target], RULES);
    // A rate needs a value before and one after.
    await traffic.wave();
    await scraped();
    await traffic.wave();
    await traffic.hold();
    await scraped();
  });
  afterAll(async () => {
    await traffic.close();
    await prometheus.close();
  });

  /** Of these queries those that nothing comes of. */
  async function unanswered(queries: readonly string[]): Promise<readonly string[]> {
    const answers = await Promise.all(queries.map(prometheus.query));
    return queries.filter((_, i) => !(answers[i] ?? []).some(({ value }) => !Number.isNaN(value)));
  }

  it.each(panels)('the panel $title is answered', async ({ targets = [] }) => {
    expect(await unanswered(targets.map(({ expr }) => asSent(expr)))).toEqual([]);
  });

  it('panels show what is', async () => {
    const show = async (title: string): Promise<readonly Sample[]> => {
      const [target] = panels.find((panel) => panel.title === title)?.targets ?? [];
      return prometheus.query(asSent(target?.expr ?? ''));
    };
    const [up] = await show('Backends up');
    expect(up?.value).toBeCloseTo(5 / 6);
    const byBackend = async (title: string): Promise<Readonly<Record<string, number>>> =>
      Object.fromEntries((await show(title)).map(({ labels, value }) => [labels.backend ?? '', value]));
    expect(await byBackend('Up')).toMatchObject({ steady: 1, vllm: 2, narrow: 1, gone: 0 });
    expect(await byBackend('In flight')).toMatchObject({ steady: 1, vllm: 0, narrow: 1 });
    expect(await byBackend('Waiting for a slot')).toMatchObject({ steady: 0, narrow: 1 });
    expect(await byBackend('Slots taken')).toEqual({ narrow: 1 });
  });

  it.each(variables)('there are values to choose from for $name', async ({ definition = '' }) => {
    const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
    expect((await prometheus.labelValues(metric, label)).length).toBeGreaterThan(0);
  });

  it.each(records)('the rule $record is answered', async ({ record = '' }) => {
    expect(await unanswered([record])).toEqual([]);
  });

  it('budgets of a day and of a month burn', async () => {
    const burning = await prometheus.query('job_key_period:ai_gateway_key_budget:burn_rate > 0');
    expect(burning.map(({ labels: { key, period } }) => [key, period])).toEqual(
      expect.arrayContaining([
        ['chat', 'day'],
        ['chat', 'month'],
      ]),
    );
  });

  it.each(alerts)('the alert $alert looks at something', async ({ expr }) => {
    expect(await unanswered([withoutLimits(expr)])).toEqual([]);
  });

  it('alerts see what is wrong', async () => {
    const begun = async (): Promise<readonly (string | undefined)[]> =>
      (await prometheus.query('ALERTS')).map(({ labels }) => labels.alertname);
    // Rules are looked at from time to time, and some of them at what others have recorded.
    await eventually(async () => {
      const names = await begun();
      return ['AIGatewayErrors', 'AIGatewayBackendDown', 'AIGatewayBackendFull'].every((name) =>
        names.includes(name),
      );
    });
    expect(await begun()).not.toContain('AIGatewayAllBackendsDown');
  });

  it('every metric has the labels of the table in docs/operations.md, and none is missing there', async () => {
    const found = new Map<string, ReadonlySet<string>>();
    for (const { labels } of await prometheus.query('{__name__=~"(ai|http)_.+"}')) {
      const { __name__: series = '', job, instance, le, ...own } = labels;
      expect([job, instance]).toEqual(['gateway', traffic.target]);
      const name = le === undefined ? series.replace(/_(sum|count)$/, '') : series.replace(/_bucket$/, '');
      found.set(name, new Set([...(found.get(name) ?? []), ...Object.keys(own)]));
    }
    expect(documentedLabels()).toEqual(
      Object.fromEntries([...found].map(([name, labels]) => [name, [...labels].sort()])),
    );
  });
});
