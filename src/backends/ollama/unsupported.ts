/** What would change the meaning of an answer and has no counterpart in Ollama: refused, and never ignored. */

import { GatewayError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';

export const UNSUPPORTED: Readonly<Record<string, string>> = {
  logit_bias: 'Its backend cannot change the probability of single tokens. Leave it out.',
  audio: 'Its backend does not speak. Leave it out.',
  web_search_options: 'Its backend has no access to the web. Leave it out.',
  moderation: 'Leave it out.',
};

/** Throws GatewayError (400). */
export function refuseUnsupported(body: JsonObject): void {
  for (const [param, hint] of Object.entries(UNSUPPORTED)) {
    const value = body[param];
    // An empty bias changes nothing; an empty web_search_options asks for a search.
    const isEmpty = param === 'logit_bias' && isJsonObject(value) && Object.keys(value).length === 0;
    if (value === null || value === undefined || isEmpty) continue;
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
