// PromQL as the dashboard needs it: of the instances, models and backends that were chosen at its top.

export const INSTANCE = 'instance=~"$instance"';
export const BACKEND = `${INSTANCE},backend=~"$backend"`;
/** Of series that tell of a model on a backend. */
export const TARGET = `${BACKEND},model=~"$model"`;

export const rate = (name, labels = INSTANCE) => `rate(${name}{${labels}}[$__rate_interval])`;

/** `by`: labels, comma separated; '' adds everything up. */
export const sumRate = (name, by, labels = INSTANCE) => `sum${by && ` by (${by})`} (${rate(name, labels)})`;

export const quantile = (share, name, by, labels = TARGET) =>
  `histogram_quantile(${share}, ${sumRate(`${name}_bucket`, by ? `le,${by}` : 'le', labels)})`;

/** Three lines: the median, and what one in twenty and one in a hundred have. */
export const quantiles = (name, labels = TARGET) => ({
  p50: quantile(0.5, name, '', labels),
  p95: quantile(0.95, name, '', labels),
  p99: quantile(0.99, name, '', labels),
});

/** 0 where nothing of the kind has happened, as long as there is anything at all. */
export const orZero = (expr, of) => `(${expr} or 0 * ${of})`;
