/** How much a model is to think: OpenAI's effort, and other clients' words for it → Ollama's `think`. */

import { REASONING_EFFORTS, type ChatBody, type ReasoningEffort } from '../../core/chat.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';

export type Think = boolean | 'low' | 'medium' | 'high' | 'max';

/** The places where a request may say it. */
type Wish = Pick<ChatBody, 'reasoning_effort'> & JsonObject;

/** undefined leaves it to the server, which lets a thinking model think. */
export function toThink(body: Wish, target: Target): Think | undefined {
  const wanted = wantedBy(body);
  if (wanted === undefined || !canThink(target)) return undefined;
  if (isGptOss(target))
    return GPT_OSS_LEVELS[wanted === true ? 'medium' : wanted === false ? 'none' : wanted];
  if (typeof wanted === 'boolean') return wanted;
  const level = LEVELS[wanted];
  return level === 'max' && !isAtLeast(target.serverVersion, 0, 22) ? 'high' : level;
}

/** Not known to be unable. */
export function canThink(target: Target): boolean {
  const { model } = target;
  return isGptOss(target) || !model?.capabilities || model.capabilities.includes('thinking');
}

/**
 * OpenAI's own word first; then OpenRouter's `reasoning: {effort}`, Ollama's `think`, and the
 * template argument that vLLM's users know.
 */
function wantedBy(body: Wish): ReasoningEffort | boolean | undefined {
  const { reasoning_effort: effort, reasoning, think, chat_template_kwargs: kwargs } = body;
  if (effort) return effort;
  if (isJsonObject(reasoning) && isEffort(reasoning.effort)) return reasoning.effort;
  if (typeof think === 'boolean' || isEffort(think)) return think;
  const enable = isJsonObject(kwargs) ? kwargs.enable_thinking : undefined;
  return typeof enable === 'boolean' ? enable : undefined;
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

/** Development builds call themselves 0.0.0 and are newer than all; so is what tells nothing. */
function isAtLeast(version: string, major: number, minor: number): boolean {
  const [x, y] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (x === undefined || Number.isNaN(x) || version.startsWith('0.0.0')) return true;
  return x > major || (x === major && (y ?? 0) >= minor);
}
