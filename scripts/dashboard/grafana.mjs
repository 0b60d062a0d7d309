// Rows and panels → Grafana's JSON: ids, places, and what every panel of a sort has in common.

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const WIDTH = 24;
const STAT_HEIGHT = 4;
const PANEL_HEIGHT = 8;

/** `queries`: PromQL by the legend of its lines. `width`: of 24. */
function panel(type, width, title, unit, description, queries, { options, custom, ...defaults } = {}) {
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    width,
    fieldConfig: {
      defaults: { unit, ...(custom && { custom }), ...defaults },
      overrides: [],
    },
    options,
    targets: Object.entries(queries).map(([legendFormat, expr], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      range: true,
    })),
  };
}

/** Lines over time. */
export const lines = (title, unit, description, queries, more = {}) =>
  panel('timeseries', 8, title, unit, description, queries, {
    min: 0,
    custom: { fillOpacity: 8, showPoints: 'never', spanNulls: true },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    ...more,
  });

/** Lines that add up to something. */
export const areas = (title, unit, description, queries) =>
  lines(title, unit, description, queries, {
    custom: { fillOpacity: 30, showPoints: 'never', stacking: { mode: 'normal' } },
  });

/** One number, as it is now. `steps`: from which value on it has which colour. */
export const number = (title, unit, description, queries, steps = [['text', null]]) =>
  panel('stat', 4, title, unit, description, queries, {
    thresholds: { mode: 'absolute', steps: steps.map(([color, value]) => ({ color, value })) },
    options: {
      reduceOptions: { calcs: ['lastNotNull'] },
      graphMode: 'area',
      colorMode: 'value',
      textMode: 'auto',
    },
  });

/** States over time. `states`: value → what it is called, and its colour. */
export const states = (title, description, queries, states) =>
  panel('state-timeline', 8, title, 'none', description, queries, {
    mappings: [
      {
        type: 'value',
        options: Object.fromEntries(
          Object.entries(states).map(([value, [text, color]], index) => [value, { text, color, index }]),
        ),
      },
    ],
    custom: { fillOpacity: 70, lineWidth: 0 },
    options: { mergeValues: true, showValue: 'never', rowHeight: 0.9 },
  });

/** A name by its label alone. */
export const label = (title, description, queries) => {
  const stat = number(title, 'none', description, queries);
  return { ...stat, options: { ...stat.options, graphMode: 'none', textMode: 'name' } };
};

/** From left to right and from top to bottom, under the titles of their rows. */
function arrange(rows) {
  const placed = [];
  let y = 0;
  for (const [title, panels] of Object.entries(rows)) {
    placed.push({ type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: WIDTH, h: 1 }, panels: [] });
    y += 1;
    let x = 0;
    let height = 0;
    for (const { width, ...rest } of panels) {
      if (x + width > WIDTH) {
        y += height;
        x = 0;
      }
      height = rest.type === 'stat' ? STAT_HEIGHT : PANEL_HEIGHT;
      placed.push({ ...rest, gridPos: { x, y, w: width, h: height } });
      x += width;
    }
    y += height;
  }
  return placed.map((each, i) => ({ id: i + 1, ...each }));
}

const choice = (name, title, query) => ({
  name,
  label: title,
  type: 'query',
  datasource: DATASOURCE,
  query: { query, refId: name },
  definition: query,
  includeAll: true,
  multi: true,
  // Also what has no such label.
  allValue: '.*',
  current: { text: ['All'], value: ['$__all'], selected: true },
  refresh: 2,
  sort: 1,
});

/** `choices`: at the top of the dashboard, by the name of the variable: its title, and the query for its values. */
export function toDashboard({ title, uid, description, tags, choices, rows }) {
  return {
    title,
    uid,
    description,
    tags,
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', refresh: 1 },
        ...Object.entries(choices).map(([name, [text, query]]) => choice(name, text, query)),
      ],
    },
    annotations: { list: [] },
    panels: arrange(rows),
  };
}
