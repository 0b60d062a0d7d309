/** The body of POST /v1/completions → the canonical request. */

import type { CompletionBody, CompletionRequest } from '../../core/completion.ts';
import { GatewayError } from '../../core/errors.ts';
import { sliceMembers } from '../../wire/json-slice.ts';
import { withExactSeed } from '../seed.ts';
import { toTexts } from '../texts.ts';
import { parseBody, validate } from '../validate.ts';
import { completionBody } from './schema.ts';

/** What OpenAI has null stand for: the model begins as if at the beginning of a document. */
const DEFAULT_PROMPT = '<|endoftext|>';

/** Throws GatewayError (400). */
export function toCompletionRequest(json: string): CompletionRequest {
  const { prompt, ...body } = validate(completionBody, parseBody(json));
  checkParameters(body);
  const prompts = toTexts(prompt ?? DEFAULT_PROMPT);
  const members = sliceMembers(json);
  members.delete('prompt');
  return {
    body: withExactSeed(body, json),
    prompts,
    texts: prompts.every((each) => typeof each === 'string') ? prompts : undefined,
    members,
  };
}

/** The rules between parameters. */
function checkParameters(body: CompletionBody): void {
  if (body.stream_options && body.stream !== true) {
    throw refused(
      'stream_options',
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    );
  }
  const { n, best_of: best } = body;
  // 0 is one of OpenAI's own values, for "no such thing".
  if (typeof best === 'number' && best > 0 && best < (n ?? 1)) {
    throw refused('best_of', `'best_of' must not be less than 'n': ${String(best)} < ${String(n)}.`);
  }
  if (typeof best === 'number' && best > 1 && body.stream === true) {
    throw refused('best_of', "'best_of' cannot be used when 'stream' is enabled.");
  }
}

function refused(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param });
}
