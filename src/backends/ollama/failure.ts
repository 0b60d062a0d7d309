/** Ollama's errors, before and inside a stream → the gateway's. */

import { contextLengthError } from '../../core/context-length.ts';
import { excerptOf, GatewayError, withoutAddresses } from '../../core/errors.ts';
import { isJsonObject, parseJson } from '../../core/json.ts';
import type { Target } from '../../core/fleet.ts';
import type { FailedResponse } from '../../core/kind.ts';
import { toRetryAfterSeconds } from '../../wire/retry-after.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';

/** "does not support tools" and its kin, with the field that asked for it. */
const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
  [/does not support tools/i, 'tools'],
  [/does not support thinking|think value .{1,80} is not supported/i, 'reasoning_effort'],
  [/does not support (vision|images?)/i, 'messages'],
  [/does not support (chat|generate|embed)/i, 'model'],
  [/does not support insert/i, 'suffix'],
];

/** Failures that the same request meets again on the same server. */
const FUTILE = /requires more system memory|option "[^"]{1,80}" must be of type/i;

/** What an answer with an error status means. */
export function ollamaFailure(response: FailedResponse): GatewayError {
  const { status } = response;
  const text = errorText(decodeUtf8(response.body));
  const retryAfterSeconds = toRetryAfterSeconds(response.headers);
  if (status === 404 && text !== undefined) {
    return new GatewayError('upstream_model_not_found', {
      message: `The model \`${response.model}\` does not exist or you do not have access to it.`,
    });
  }
  if (status === 401 || status === 403) {
    return new GatewayError(status === 401 ? 'upstream_unauthorized' : 'upstream_forbidden', {
      message:
        status === 401
          ? 'The upstream server did not accept the credentials of the gateway.'
          : 'The upstream server refused the request.',
      cause: text,
    });
  }
  if (status === 429 || status === 503) {
    return new GatewayError(status === 429 ? 'upstream_rate_limited' : 'server_overloaded', {
      message: withoutAddresses(text ?? 'The upstream server is busy. Try again.'),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
  }
  if (text === undefined || status < 400) {
    return new GatewayError('upstream_invalid_response', {
      message: `The upstream server answered with status ${String(status)} and no error that Ollama would send.`,
    });
  }
  return status < 500
    ? requestFailure(text, response.promptParam)
    : messageFailure(text, response.promptParam);
}

/** Servers from 0.9 to 0.12 let some models think or not, and know no levels for them (ollama#12561). */
export function adaptTarget({ status, body }: FailedResponse, target: Target): Target | undefined {
  if (status !== 400 || target.hasThinkLevels === false) return undefined;
  const text = errorText(decodeUtf8(body)) ?? '';
  return /think value .{1,80} is not supported/i.test(excerptOf(text))
    ? { ...target, hasThinkLevels: false }
    : undefined;
}

/** What an error that stands alone means: a record inside a stream, or a status of 500. */
export function messageFailure(said: string, promptParam = 'messages'): GatewayError {
  const overflow = contextFailure(said, promptParam);
  if (overflow) return overflow;
  const text = excerptOf(said);
  const message = withoutAddresses(plainText(said));
  if (/error parsing tool call/i.test(text)) {
    return new GatewayError('tool_call_parse_error', { message });
  }
  return new GatewayError('upstream_error', { message, retryIsFutile: FUTILE.test(text) });
}

function requestFailure(said: string, promptParam = 'messages'): GatewayError {
  const overflow = contextFailure(said, promptParam);
  if (overflow) return overflow;
  const text = excerptOf(said);
  const message = withoutAddresses(plainText(said));
  for (const [pattern, param] of UNSUPPORTED) {
    if (pattern.test(text)) return new GatewayError('unsupported_parameter', { message, param });
  }
  return new GatewayError('invalid_request', { message });
}

/** The numbers are in the document of llama-server, where there is one. */
function contextFailure(text: string, param: string): GatewayError | undefined {
  const { message, type, n_ctx: limit, n_prompt_tokens: size } = nestedError(text) ?? {};
  const complaint = {
    message: typeof message === 'string' ? message : text,
    ...(typeof type === 'string' && { type }),
    ...(typeof limit === 'number' && { contextTokens: limit }),
    ...(typeof size === 'number' && { promptTokens: size }),
  };
  return contextLengthError(complaint, param);
}

/** `{"error":"…"}` → the text; undefined when the body is something else. */
function errorText(body: string): string | undefined {
  const parsed = parseJson(body);
  if (!isJsonObject(parsed)) return undefined;
  const { error } = parsed;
  if (typeof error === 'string') return error;
  return isJsonObject(error) ? JSON.stringify({ error }) : undefined;
}

/** The error document of llama-server that Ollama passes on inside its own error string. */
function nestedError(text: string): Record<string, unknown> | undefined {
  const start = text.indexOf('{');
  const parsed = start < 0 ? undefined : parseJson(text.slice(start));
  if (!isJsonObject(parsed)) return undefined;
  return isJsonObject(parsed.error) ? parsed.error : parsed;
}

function plainText(text: string): string {
  const message = nestedError(text)?.message;
  return typeof message === 'string' ? message : text;
}

/** The stream ended before its last record. */
export function incompleteAnswer(records: number): GatewayError {
  return new GatewayError('upstream_incomplete_response', {
    message:
      records === 0
        ? 'The upstream server closed the stream without a response.'
        : 'The upstream server closed the stream before the response was complete.',
  });
}
