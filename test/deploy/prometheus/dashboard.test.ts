/** The dashboard is what the generator makes of its rows, and Grafana can show it. */

import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { dashboard, panels, type Panel } from './dashboard.ts';

const doOverlap = (a: Panel, b: Panel): boolean =>
  a.gridPos.x < b.gridPos.x + b.gridPos.w &&
  b.gridPos.x < a.gridPos.x + a.gridPos.w &&
  a.gridPos.y < b.gridPos.y + b.gridPos.h &&
  b.gridPos.y < a.gridPos.y + a.gridPos.h;

describe('the dashboard', () => {
  it('is current', () => {
    const root = new URL('../../../', import.meta.url);
    const { stderr } = spawnSync(process.execPath, ['scripts/dashboard.mjs', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
  });

  it('has a fixed address, and rows for all that is measured', () => {
    expect(dashboard).toMatchObject({ uid: 'node-ai-gateway', schemaVersion: 39 });
    expect(dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
      'Overview',
      'Traffic',
      'Latency',
      'Tokens',
      'Backends',
      'Errors and aborts',
      'Keys and limits',
      'Process',
    ]);
  });

  it('has panels with ids of their own, beside each other and not above', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const overlaps = dashboard.panels.flatMap((a, i) =>
      dashboard.panels.slice(i + 1).flatMap((b) => (doOverlap(a, b) ? [`${a.title}, ${b.title}`] : [])),
    );
    expect(overlaps).toEqual([]);
    expect(dashboard.panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });

  it.each(panels)('$title says what it shows, in which unit, and asks the chosen data source', (panel) => {
    expect(panel.description?.length).toBeGreaterThan(5);
    expect(panel.fieldConfig?.defaults.unit).toMatch(/./);
    expect(panel.targets?.length).toBeGreaterThan(0);
    const known = new Set([...dashboard.templating.list.map(({ name }) => name), '__rate_interval']);
    for (const { expr, datasource } of panel.targets ?? []) {
      expect(datasource.uid).toBe('${datasource}');
      const unknown = [...expr.matchAll(/\$(\w+)/g)].filter(([, name = '']) => !known.has(name));
      expect(unknown).toEqual([]);
    }
  });
});
