// Rows of measurements → Markdown.

import { median } from './statistics.mjs';

/** Servers that others are compared with. */
const BASELINES = ['nginx', 'pipe'];

/**
 * @param {readonly string[]} header
 * @param {readonly string[][]} lines
 * @param {number} textColumns columns at the left that hold text
 */
export function toTable(header, lines, textColumns = 1) {
  const rule = header.map((_, i) => (i < textColumns ? '---' : '--:'));
  return [header, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/**
 * @param {import('../scenarios/index.mjs').Scenario} scenario
 * @param {readonly import('./rounds.mjs').Row[]} rows
 */
export function scenarioTable({ name, title, columns, main, routes, servers }, rows) {
  const mine = rows.filter(({ scenario }) => scenario === name);
  const baselines =
    main === undefined ? [] : BASELINES.filter((each) => servers.includes(each) && servers.length > 1);
  const header = [
    'route',
    'server',
    ...columns.map((column) => (column.key === main ? `${column.title} (least … most)` : column.title)),
    ...baselines.map((each) => `× ${each}`),
    'wrong',
  ];
  const lines = routes.flatMap((route) =>
    servers
      .map((server) => ({ server, own: mine.filter((row) => row.route === route && row.server === server) }))
      .filter(({ own }) => own.length > 0)
      .map(({ server, own }) => [
        route,
        server,
        ...columns.map(({ key }) => cellOf(own, key, key === main)),
        ...baselines.map((each) => format(ratio(mine, name, route, main, server, each))),
        [...new Set(own.map(({ faults }) => faults).filter((text) => text !== ''))].join('; '),
      ]),
  );
  return `### ${name}: ${title}\n\n${toTable(header, lines, 2)}`;
}

/** Median of the ratios of each round; NaN when there is nothing to compare. */
export function ratio(rows, scenario, route, key, server, baseline) {
  const ofServer = (name) =>
    rows.filter((row) => row.scenario === scenario && row.route === route && row.server === name);
  const others = ofServer(baseline);
  return median(
    ofServer(server).map(
      ({ round, figures }) => figures[key] / others.find((row) => row.round === round)?.figures[key],
    ),
  );
}

/** Median of a figure over the rounds; NaN when there is none. */
export function medianFigure(rows, scenario, route, key, server) {
  return median(
    rows
      .filter((row) => row.scenario === scenario && row.route === route && row.server === server)
      .map(({ figures }) => figures[key]),
  );
}

function cellOf(rows, key, hasRange) {
  const values = rows.map(({ figures }) => figures[key]).filter(Number.isFinite);
  const text = format(median(values));
  if (!hasRange || values.length < 2) return text;
  return `${text} (${format(Math.min(...values))} … ${format(Math.max(...values))})`;
}

/** Three digits that count. */
export function format(value) {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  return value === 0 ? '0' : value.toFixed(size >= 10 ? 1 : 2);
}
