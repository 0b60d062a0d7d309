/** How much a model is to think: OpenAI's effort, and other clients' words for it → Ollama's `think`. */

import { REASONING_EFFORTS, type ReasoningEffort } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import { settle, type Wish } from './settle.ts';
import { isAtLeast } from './version.ts';

export type Think = boolean | 'low' | 'medium' | 'high' | 'max';

/**
 * What the operator said, else what the request says; undefined leaves it to the server, which lets a
 * thinking model think. A model that cannot think heeds only the wish not to. Throws GatewayError
 * (400) for a wish that nobody understands.
 */
export function settleThink(body: JsonObject, target: Target, lost: string[]): unknown {
  const wishes = wishesOf(body).map(({ param, value }) => ({ param, value: toThink(value, target) }));
  if (target.options.think !== undefined) return settle([{ value: target.options.think }, ...wishes], lost);
  if (canThink(target)) return settle(wishes, lost);
  lost.push(...wishes.flatMap(({ param, value }) => (value === false ? [] : param)));
  return undefined;
}

/** For a prompt that the model is to go on with, and not to think about. */
export function withoutThinking(target: Target): Think | undefined {
  return canThink(target) ? toThink('none', target) : undefined;
}

/** Not known to be unable. */
function canThink(target: Target): boolean {
  const { model } = target;
  return isGptOss(target) || !model?.capabilities || model.capabilities.includes('thinking');
}

function toThink(wanted: ReasoningEffort | boolean, target: Target): Think {
  const level = toLevel(wanted, target);
  return typeof level === 'string' && target.hasThinkLevels === false ? true : level;
}

function toLevel(wanted: ReasoningEffort | boolean, target: Target): Think {
  if (isGptOss(target)) {
    return GPT_OSS_LEVELS[wanted === true ? 'medium' : wanted === false ? 'none' : wanted];
  }
  if (typeof wanted === 'boolean') return wanted;
  const level = LEVELS[wanted];
  return level === 'max' && !isAtLeast(target.serverVersion, [0, 22]) ? 'high' : level;
}

/** A value that one of the places may have. */
type Wanted = ReasoningEffort | boolean;
type Form = 'effort' | 'boolean' | 'either';

/**
 * OpenAI's own word first; then OpenRouter's `reasoning: {effort}`, Ollama's `think`, and the
 * template argument that vLLM's users know.
 */
function wishesOf(body: JsonObject): (Wish<Wanted> & { readonly param: string })[] {
  const { reasoning_effort: effort, reasoning, think, chat_template_kwargs: kwargs } = body;
  const enable = memberOf(kwargs, 'enable_thinking', 'chat_template_kwargs');
  return [
    ...wishAt('reasoning_effort', effort, 'effort'),
    ...wishAt('reasoning.effort', memberOf(reasoning, 'effort', 'reasoning'), 'effort'),
    ...wishAt('think', think, 'either'),
    ...wishAt('chat_template_kwargs.enable_thinking', enable, 'boolean'),
  ];
}

function wishAt(param: string, value: unknown, form: Form): { param: string; value: Wanted }[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'boolean' && form !== 'effort') return [{ param, value }];
  if (isEffort(value) && form !== 'boolean') return [{ param, value }];
  const efforts = form === 'boolean' ? [] : REASONING_EFFORTS.map((each) => `'${each}'`);
  const values = [...(form === 'effort' ? [] : ['true', 'false']), ...efforts].join(', ');
  throw refused(param, 'invalid_value', `Invalid '${param}'. Supported values are: ${values}.`);
}

function memberOf(value: unknown, name: string, param: string): unknown {
  if (value === null || value === undefined) return undefined;
  if (isJsonObject(value)) return value[name];
  throw refused(param, 'invalid_type', `Invalid type for '${param}': expected an object.`);
}

function refused(param: string, code: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param, code });
}

function isEffort(value: unknown): value is ReasoningEffort {
  return REASONING_EFFORTS.some((effort) => effort === value);
}

function isGptOss({ model, upstreamModel }: Target): boolean {
  return /gpt-?oss/i.test(model?.family ?? upstreamModel);
}

const LEVELS: Readonly<Record<ReasoningEffort, Think>> = {
  none: false,
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'max',
  max: 'max',
};

/** gpt-oss cannot stop thinking and has no level above high. */
const GPT_OSS_LEVELS: Readonly<Record<ReasoningEffort, Think>> = {
  none: 'low',
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};
