/** Which limits hold for a request: of the whole gateway, of its key, and of its key with some models. */

import type { Client, Limits, ModelLimits, RateLimits } from '../core/client.ts';
import { isMatch } from './models.ts';
import type { Period } from './periods.ts';

interface Limit {
  readonly limit: number;
  /** Of its counter or its leases; of a budget without the date. */
  readonly key: string;
  /** Whose limit it is, in words for the client. */
  readonly scope: string;
}

/** So much in a time. */
export interface CountRule extends Limit {
  readonly sort: 'requests' | 'tokens' | 'budget';
  readonly period: Period;
}

/** So many at the same time. */
export interface SlotRule extends Limit {
  readonly sort: 'concurrency';
}

export type Rule = CountRule | SlotRule;

/** All limits that may hold for one client. */
interface Plan {
  readonly always: readonly Rule[];
  readonly byModel: readonly { readonly models: string; readonly rules: readonly Rule[] }[];
}

export type RulesOf = (client: Client, model: string) => readonly Rule[];

const NO_RULES: readonly Rule[] = [];

/** `quota`: what holds for all clients together; a reload brings another object. */
export function createRules(quota: () => Limits): RulesOf {
  let last = quota();
  let plans = new WeakMap<Client, Plan>();

  function planOf(client: Client): Plan {
    const current = quota();
    if (current !== last) {
      last = current;
      plans = new WeakMap();
    }
    const known = plans.get(client);
    if (known) return known;
    const plan = toPlan(client, current);
    plans.set(client, plan);
    return plan;
  }

  return (client, model) => {
    const { always, byModel } = planOf(client);
    if (byModel.length === 0) return always;
    const more = byModel.filter(({ models }) => isMeant(models, model));
    return more.length === 0 ? always : [...always, ...more.flatMap(({ rules }) => rules)];
  };
}

/** `backend/model` is no way around a limit of the model. */
function isMeant(pattern: string, model: string): boolean {
  return isMatch(pattern, model) || isMatch(pattern, model.slice(model.indexOf('/') + 1));
}

function toPlan({ keyId, limits, modelLimits }: Client, quota: Limits): Plan {
  const own = `key:${encodeURIComponent(keyId)}`;
  const always = [...toRules(quota, 'all', 'this gateway'), ...toRules(limits, own, 'this API key')];
  return {
    always: always.length === 0 ? NO_RULES : always,
    byModel: modelLimits.map((each) => ({ models: each.models, rules: toModelRules(each, own) })),
  };
}

function toRules(limits: Limits, prefix: string, scope: string): Rule[] {
  const { concurrency, tokensPerDay, tokensPerMonth } = limits;
  const rules: Rule[] = [
    ...toRateRules(limits, prefix, scope),
    { sort: 'budget', limit: tokensPerDay, period: 'day', key: `${prefix}:day`, scope },
    { sort: 'budget', limit: tokensPerMonth, period: 'month', key: `${prefix}:month`, scope },
    { sort: 'concurrency', limit: concurrency, key: `${prefix}:slots`, scope },
  ];
  return rules.filter(({ limit }) => limit > 0);
}

function toModelRules(limits: ModelLimits, own: string): Rule[] {
  const scope = `this API key with models \`${limits.models}\``;
  return toRateRules(limits, `${own}:${encodeURIComponent(limits.models)}`, scope).filter(
    ({ limit }) => limit > 0,
  );
}

function toRateRules(
  { requestsPerMinute, tokensPerMinute }: RateLimits,
  prefix: string,
  scope: string,
): Rule[] {
  return [
    { sort: 'requests', limit: requestsPerMinute, period: 'minute', key: `${prefix}:requests`, scope },
    { sort: 'tokens', limit: tokensPerMinute, period: 'minute', key: `${prefix}:tokens`, scope },
  ];
}
