/** What Ollama makes of the parameters of a request, one by one: heeded, refused, or without effect. */

import type { ChatBody, ChatRequest } from '../../core/chat.ts';
import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import { canThink } from './think.ts';

/** OpenAI's parameters that are mapped or emulated. */
const HEEDED = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'n',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'stop',
  'logprobs',
  'top_logprobs',
  'response_format',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'parallel_tool_calls',
  'reasoning_effort',
]);

/** Ollama's own sampling options, which clients send as extra members, or inside `options`. */
const SAMPLING = new Set([
  'top_k',
  'min_p',
  'typical_p',
  'repeat_penalty',
  'repeat_last_n',
  'num_keep',
  'num_predict',
  'temperature',
  'top_p',
  'seed',
  'frequency_penalty',
  'presence_penalty',
]);

/** Another one's word for an option of Ollama. */
const SYNONYMS: Readonly<Record<string, string>> = { repetition_penalty: 'repeat_penalty' };

/**
 * Options of a request besides OpenAI's own parameters. A load-time option (num_ctx, num_gpu, …)
 * makes the server load the model anew for everybody, so only those are taken that the operator
 * allowed for the model. Throws GatewayError (400) for a wrong type, which Ollama answers with 500.
 */
export function extraOptions(body: JsonObject, { requestOptions }: Target): JsonObject {
  const given = { ...(isJsonObject(body.options) ? body.options : {}), ...withSynonyms(body) };
  const taken = Object.entries(given).filter(
    ([name, value]) => isGiven(value) && (isExtraSampling(name, body) || requestOptions.includes(name)),
  );
  for (const [name, value] of taken) {
    if (typeof value === 'number' || (requestOptions.includes(name) && typeof value === 'boolean')) continue;
    throw new GatewayError('invalid_request', {
      message: `Invalid type for '${name}': expected a number.`,
      param: name,
      code: 'invalid_type',
    });
  }
  return Object.fromEntries(taken);
}

/** OpenAI's parameter of the same name is the one that counts, and is mapped elsewhere. */
function isExtraSampling(name: string, body: JsonObject): boolean {
  return SAMPLING.has(name) && !(HEEDED.has(name) && isGiven(body[name]));
}

function withSynonyms(body: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) =>
      HEEDED.has(name) ? [] : [[SYNONYMS[name] ?? name, value]],
    ),
  );
}

/** Throws GatewayError (400) for what would have to be ignored but changes the answer's meaning. */
export function refuseUnsupported(body: JsonObject): void {
  for (const [param, hint] of Object.entries(UNSUPPORTED)) {
    const value = body[param];
    // An empty bias changes nothing; an empty web_search_options asks for a search.
    const isEmpty = param === 'logit_bias' && isJsonObject(value) && Object.keys(value).length === 0;
    if (!isGiven(value) || isEmpty) continue;
    throw new GatewayError('unsupported_parameter', {
      message: `Unsupported parameter: '${param}' is not supported with this model. ${hint}`,
      param,
    });
  }
  if (Array.isArray(body.modalities) && body.modalities.includes('audio')) {
    throw new GatewayError('unsupported_parameter', {
      message: "Unsupported value: 'modalities' may only be ['text'] with this model.",
      param: 'modalities',
    });
  }
}

const UNSUPPORTED: Readonly<Record<string, string>> = {
  logit_bias: 'Its backend cannot change the probability of single tokens. Leave it out.',
  audio: 'Its backend does not speak. Leave it out.',
  web_search_options: 'Its backend has no access to the web. Leave it out.',
  moderation: 'Leave it out.',
};

/** Parameters that have no effect on this target, by name. */
export function ignoredParams({ body }: ChatRequest, target: Target): readonly string[] {
  return namesWithoutEffect(body, target, (name) => isHeeded(name, body, target));
}

/** `isHeeded`: of the parameters of an endpoint. Options are the same for all, and what is refused. */
export function namesWithoutEffect(
  body: JsonObject,
  target: Target,
  isHeeded: (name: string) => boolean,
): readonly string[] {
  const names = Object.keys(body).filter((name) => {
    const isKnown = name === 'options' || name in UNSUPPORTED || isOption(SYNONYMS[name] ?? name, target);
    return isGiven(body[name]) && !isKnown && !isHeeded(name);
  });
  const options = isJsonObject(body.options) ? Object.keys(body.options) : [];
  const unheeded = options.filter((name) => !isOption(name, target)).map((name) => `options.${name}`);
  return names.length + unheeded.length === 0 ? NONE : [...names, ...unheeded];
}

const NONE: readonly string[] = [];

function isHeeded(name: string, body: ChatBody, target: Target): boolean {
  switch (name) {
    case 'max_tokens':
      return !isGiven(body.max_completion_tokens);
    case 'reasoning_effort':
    case 'reasoning':
    case 'think':
    case 'chat_template_kwargs':
      return canThink(target);
    case 'modalities':
      return true;
    default:
      return HEEDED.has(name);
  }
}

function isOption(name: string, { requestOptions }: Target): boolean {
  return SAMPLING.has(name) || requestOptions.includes(name);
}

function isGiven(value: unknown): boolean {
  return value !== null && value !== undefined;
}
