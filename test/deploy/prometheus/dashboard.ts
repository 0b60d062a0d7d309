/** Grafana's dashboard as the chart and compose have it. */

import { readFileSync } from 'node:fs';

export const DASHBOARD = new URL(
  '../../../helm/node-ai-gateway/dashboards/node-ai-gateway.json',
  import.meta.url,
);

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

/** One at the top, such as the models to choose from. */
export interface Variable {
  readonly name: string;
  readonly type: string;
  /** `label_values(metric, label)`; only of those with type `query`. */
  readonly definition?: string;
}

export interface Dashboard {
  readonly title: string;
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

export const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;

/** Without the rows, which only have a title. */
export const panels = dashboard.panels.filter(({ type }) => type !== 'row');

/** PromQL as Grafana sends it when all is chosen. */
export function asSent(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replace(/\$(instance|backend|model)\b/g, '.*');
}
