// The forms of which the schemas of values are made: texts, numbers, and types of Kubernetes' own.

const DRAFT = 'http://json-schema.org/draft-07/schema#';

export const text = { type: 'string' };
export const name = { type: 'string', maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' };
export const nameOrNone = { type: 'string', maxLength: 253, pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$' };
export const entry = { type: 'string', pattern: '^[-._a-zA-Z0-9]+$' };
export const entryOrNone = { type: 'string', pattern: '^[-._a-zA-Z0-9]*$' };
export const flag = { type: 'boolean' };
export const port = { type: 'integer', minimum: 1, maximum: 65535 };
export const duration = { type: 'string', pattern: '^([0-9]+(ms|s|m|h))+$' };
export const urlOrNone = (schemes) => ({ type: 'string', pattern: `^((${schemes})://.+)?$` });
const quantity = { type: ['string', 'number'], pattern: '^[0-9.]+(m|k|[KMGTPE]i?)?$' };
export const texts = { type: 'object', additionalProperties: text };
export const oneOf = (...values) => ({ type: 'string', enum: values });
export const from = (minimum, maximum) => ({
  type: 'integer',
  minimum,
  ...(maximum !== undefined && { maximum }),
});
export const list = (items) => ({ type: 'array', items });
export const object = (properties, required = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...(required.length > 0 && { required }),
});

/** A type of Kubernetes' own. */
export const kubernetes = { type: 'object' };
export const named = { type: 'object', required: ['name'], properties: { name: text } };
export const peer = object({ podSelector: kubernetes, namespaceSelector: kubernetes, ipBlock: kubernetes });
export const pullSecrets = list(object({ name }, ['name']));
const resources = object({
  requests: { type: 'object', additionalProperties: quantity },
  limits: { type: 'object', additionalProperties: quantity },
  claims: list(named),
});
const toleration = object({
  key: text,
  operator: oneOf('Exists', 'Equal', 'Gt', 'Lt'),
  value: text,
  effect: oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
  tolerationSeconds: from(0),
});
export const topologySpread = object(
  {
    maxSkew: from(1),
    minDomains: from(1),
    topologyKey: text,
    whenUnsatisfiable: oneOf('DoNotSchedule', 'ScheduleAnyway'),
    labelSelector: kubernetes,
    matchLabelKeys: list(text),
    nodeAffinityPolicy: oneOf('Honor', 'Ignore'),
    nodeTaintsPolicy: oneOf('Honor', 'Ignore'),
  },
  ['maxSkew', 'topologyKey', 'whenUnsatisfiable'],
);
export const variable = object({ name: text, value: text, valueFrom: kubernetes }, ['name']);
export const variableSource = object({ prefix: text, configMapRef: named, secretRef: named });
export const pods = { type: ['integer', 'string'], pattern: '^([0-9]+%?)?$', minimum: 0 };
export const image = {
  registry: text,
  repository: text,
  tag: text,
  pullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
};
export const persistence = object({ enabled: flag, storageClass: nameOrNone, size: quantity });
export const placement = {
  nodeSelector: texts,
  tolerations: list(toleration),
  podSecurityContext: kubernetes,
  securityContext: kubernetes,
  resources,
};
export const scrape = {
  enabled: flag,
  labels: texts,
  interval: duration,
  scrapeTimeout: duration,
  metricRelabelings: list(kubernetes),
};
export const chart = (properties) => ({
  $schema: DRAFT,
  ...object({ ...properties, global: { type: 'object', description: 'Set by Helm for all charts.' } }),
});
