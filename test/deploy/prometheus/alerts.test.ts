/** Each alert fires when it should and keeps quiet when it should not, as promtool computes it. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { checkRules, describeWithPromtool, RULES, testRules } from '../../support/promtool.ts';
import { CASES } from './cases.ts';

interface AlertRule {
  readonly alert: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

const rulesText = readFileSync(RULES, 'utf8');
const { groups } = parse(rulesText) as { groups: { rules: (AlertRule | { record: string })[] }[] };
const ALERTS = groups.flatMap(({ rules }) => rules).filter((rule) => 'alert' in rule);

const everyCase = ALERTS.flatMap((rule) =>
  (CASES[rule.alert] ?? []).map((each) => ({
    ...each,
    alert: rule.alert,
    severity: rule.labels.severity,
    does: each.fires === undefined ? 'keeps quiet' : 'fires',
  })),
);

describeWithPromtool('alerts, by promtool', () => {
  it('and recording rules are well-formed', () => {
    expect(checkRules()).toBe('');
  });

  it.each(everyCase)('$alert $does when $when', ({ alert, severity, series, atMinute, fires }) => {
    const labels = `alertname="${alert}",alertstate="firing",severity="${severity}"`;
    const expected = fires === undefined ? [] : [`ALERTS{${fires}${fires === '' ? '' : ','}${labels}}`];
    const query = `ALERTS{alertname="${alert}",alertstate="firing"}`;
    expect(testRules({ series, atMinute, expected: { [query]: expected } })).toBe('');
  });
});

describe('recording rules', () => {
  it('are in the table of docs/observability.md', () => {
    const text = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
    const [, table = ''] = text.split('| Recorded |');
    const records = groups
      .flatMap(({ rules }) => rules)
      .flatMap((rule) => ('record' in rule ? rule.record : []));
    expect([...table.matchAll(/`(job\w*:[\w:]+)`/g)].map(([, name]) => name)).toEqual(records);
  });
});

describe('alerts', () => {
  it('are each shown to fire and to keep quiet', () => {
    const shown = (does: string): string[] => [
      ...new Set(everyCase.filter((each) => each.does === does).map(({ alert }) => alert)),
    ];
    const names = ALERTS.map(({ alert }) => alert);
    expect(shown('fires')).toEqual(names);
    expect(shown('keeps quiet')).toEqual(names);
    expect(Object.keys(CASES).sort()).toEqual([...names].sort());
  });

  it.each(ALERTS)('$alert has a severity, a summary and a runbook that is written', (rule) => {
    expect(['warning', 'critical']).toContain(rule.labels.severity);
    expect(rule.for).toMatch(/^\d+m$/);
    expect(rule.annotations.summary?.length).toBeGreaterThan(10);
    expect(rule.annotations.description?.length).toBeGreaterThan(10);
    const [, page = '', anchor = ''] =
      /\/main\/(docs\/[\w-]+\.md)#([\w-]+)$/.exec(rule.annotations.runbook_url ?? '') ?? [];
    const headings = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8').match(/^#+ .*$/gm);
    const anchors = headings?.map((heading) => heading.replace(/^#+ /, '').toLowerCase().replace(/ /g, '-'));
    expect(anchors).toContain(anchor);
    expect(anchor).toBe(rule.alert.toLowerCase());
  });

  it.each(ALERTS)('$alert speaks of labels that it has', ({ alert, annotations }) => {
    const spoken = Object.values(annotations)
      .join()
      .matchAll(/\$labels\.(\w+)/g);
    const fired = (CASES[alert] ?? []).flatMap(({ fires }) => fires ?? []);
    for (const [, label = ''] of spoken)
      expect(fired.filter((labels) => !labels.includes(`${label}="`))).toEqual([]);
  });

  it('are in the chart as they are beside compose', () => {
    const chart = new URL('../../../helm/node-ai-gateway/files/rules.yml', import.meta.url);
    expect(readFileSync(chart, 'utf8')).toBe(rulesText);
  });
});
