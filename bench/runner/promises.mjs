// What the project promises, beside what was measured.

import { format, medianFigure, ratio, toTable } from './tables.mjs';

/**
 * `against`: the limit holds for the ratio to that server. Ratios are promises on any machine; times
 * and sizes are those of a machine like the one in docs/performance.md.
 */
const PROMISES = [
  {
    scenario: 'thousand',
    key: 'cpuPerToken',
    against: 'nginx',
    most: 2,
    text: '1,000 streams: CPU per token',
  },
  { scenario: 'ttft', key: 'addedP50', most: 2, text: 'added time to first token, p50 ms' },
  { scenario: 'ttft', key: 'addedP99', most: 20, text: 'added time to first token, p99 ms' },
  { scenario: 'two-thousand', key: 'errors', most: 0, text: '2,000 streams at once: errors' },
  { scenario: 'memory', key: 'perStream', most: 25, text: 'memory of an open stream, KB' },
  { scenario: 'cold', key: 'startMs', most: 300, text: 'process start to the first 200, ms' },
];

/**
 * @param {readonly import('../scenarios/index.mjs').Scenario[]} scenarios those that ran
 * @param {readonly import('./rounds.mjs').Row[]} rows
 */
export function promiseTable(scenarios, rows) {
  const lines = PROMISES.flatMap(({ scenario, key, against, most, text }) => {
    const routes = scenarios.find(({ name }) => name === scenario)?.routes ?? [];
    return routes.map((route) => {
      const measured = against
        ? ratio(rows, scenario, route, key, 'gateway', against)
        : medianFigure(rows, scenario, route, key, 'gateway');
      const times = against ? '× ' : '';
      return [
        `${text}${against ? ` against ${against}` : ''}${route === 'any' ? '' : ` (${route})`} ≤ ${times}${most}`,
        Number.isFinite(measured) ? `${times}${format(measured)}` : 'not measured',
        Number.isFinite(measured) ? (measured <= most ? 'yes' : '**no**') : '–',
      ];
    });
  });
  return lines.length === 0 ? '' : toTable(['promise', 'measured', 'kept'], lines);
}
