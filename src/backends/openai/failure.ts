/** Errors of OpenAI-compatible servers, in any of the shapes in the field → the gateway's. */

import { contextLengthError, type Complaint } from '../../core/context-length.ts';
import { GatewayError, withoutAddresses } from '../../core/errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import type { FailedResponse } from '../../core/kind.ts';
import type { ByteText } from '../../core/stream.ts';
import { toRetryAfterSeconds } from '../../wire/retry-after.ts';
import { decodeUtf8 } from '../../wire/utf8.ts';
import { detailText, withoutInput } from './complaints.ts';

/** The fields of an error, wherever a server put them. */
interface Fault extends Complaint {
  readonly type: string;
  readonly param: string | undefined;
  /** FastAPI's own, and not the server's that is built on it. */
  readonly isDetail: boolean;
}

const WRONG_ADDRESS = /^(not found|file not found|invalid url|unknown request url|unexpected endpoint)/i;

/** What an answer with an error status means. */
export function openaiFailure({
  status,
  headers,
  body,
  model,
  promptParam = 'messages',
}: FailedResponse): GatewayError {
  const fault = faultOf(parseJson(decodeUtf8(body)));
  const message = fault && withoutAddresses(fault.message);
  const retryAfterSeconds = toRetryAfterSeconds(headers);
  switch (status) {
    case 401:
      return new GatewayError('upstream_unauthorized', {
        message: 'The upstream server did not accept the credentials of the gateway.',
      });
    case 403:
      return new GatewayError('upstream_forbidden', { message: 'The upstream server refused the request.' });
    case 404:
      return fault && !isAboutAddress(fault) ? notFound(model) : notOpenai(status);
    case 405:
      return notOpenai(status);
    case 408:
      return new GatewayError('upstream_timeout', {
        message: 'The upstream server gave the request up before it had an answer. Try again.',
      });
    case 429:
      if (fault?.code === 'insufficient_quota') {
        return new GatewayError('upstream_error', {
          message: 'The quota of the gateway at the upstream server is spent.',
          retryIsFutile: true,
        });
      }
      return new GatewayError('upstream_rate_limited', {
        message: message ?? 'The upstream server limits the rate of requests. Try again later.',
        ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      });
    case 503:
      return new GatewayError('server_overloaded', {
        message: message ?? 'The upstream server is busy. Try again.',
        ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      });
    default:
      if (status < 400) return notOpenai(status);
      return (
        (fault && contextLengthError(fault, promptParam)) ??
        (status < 500 ? requestFailure(status, fault) : serverFailure(status, fault))
      );
  }
}

/** What an `error` object means that stands in a body of status 200 or inside a stream. */
export function spokenFailure(value: JsonObject, promptParam = 'messages'): GatewayError | undefined {
  const fault = faultOf(value);
  return fault && failureOf(fault, promptParam);
}

function failureOf(fault: Fault, promptParam: string): GatewayError {
  const overflow = contextLengthError(fault, promptParam);
  if (overflow) return overflow;
  const isRequestFault = /invalid_request|BadRequest/i.test(fault.type) || fault.code === '400';
  return isRequestFault ? requestFailure(400, fault) : serverFailure(500, fault);
}

/** What an event means that is named `error`, with whatever stands in it. */
export function eventFailure(data: ByteText, promptParam = 'messages'): GatewayError {
  const text = decodeUtf8(data);
  const value = parseJson(text);
  const fields = isJsonObject(value) ? value : { message: text };
  return failureOf(faultOf(fields) ?? fieldsOf(fields), promptParam);
}

function requestFailure(status: number, fault: Fault | undefined): GatewayError {
  return new GatewayError('invalid_request', {
    message: fault
      ? withoutAddresses(fault.message)
      : `The upstream server refused the request with status ${String(status)}.`,
    ...(fault?.param !== undefined && { param: fault.param }),
    // A number repeats the status and is no code.
    ...(fault?.code !== undefined && !/^\d+$/.test(fault.code) && { code: fault.code }),
  });
}

function serverFailure(status: number, fault: Fault | undefined): GatewayError {
  return new GatewayError('upstream_error', {
    message: fault
      ? withoutAddresses(fault.message)
      : `The upstream server failed with status ${String(status)}.`,
  });
}

/** The backend's url is wrong, and no model is missing. */
function isAboutAddress({ message, code, isDetail }: Fault): boolean {
  if (code === 'unknown_url') return true;
  return isDetail ? !/model/i.test(message) : WRONG_ADDRESS.test(message);
}

function notFound(model: string): GatewayError {
  return new GatewayError('upstream_model_not_found', {
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
  });
}

function notOpenai(status: number): GatewayError {
  return new GatewayError('upstream_invalid_response', {
    message: `The upstream server answered with status ${String(status)}, which no OpenAI-compatible API would send here.`,
  });
}

/**
 * OpenAI and newer vLLM nest `{error: {…}}`, older vLLM puts the fields at the top beside
 * `object: "error"`, LM Studio sends `{error: "text"}`, FastAPI `{detail: …}`.
 */
function faultOf(value: unknown): Fault | undefined {
  if (!isJsonObject(value)) return undefined;
  const { error, detail } = value;
  if (typeof error === 'string' && error !== '') return fieldsOf({ message: error });
  const fields = isJsonObject(error) ? error : value.object === 'error' ? value : undefined;
  if (fields) return fieldsOf(fields);
  if (isJsonObject(detail)) return fieldsOf(isJsonObject(detail.error) ? detail.error : detail);
  const message = detailText(detail);
  return message === undefined ? undefined : { ...fieldsOf({ message }), isDetail: true };
}

/** A code or the name of a parameter; whatever else stands in their places may be the client's words. */
const NAME = /^[\w.[\]-]{1,100}$/;

function fieldsOf(fields: JsonObject): Fault {
  const { message, type, param, code, n_prompt_tokens: promptTokens, n_ctx: contextTokens } = fields;
  const words = typeof message === 'string' ? withoutInput(message) : '';
  return {
    message: words === '' ? 'The upstream server reported an error.' : words,
    type: typeof type === 'string' ? type : '',
    param: nameOf(param),
    code: nameOf(typeof code === 'number' ? String(code) : code),
    isDetail: false,
    ...(typeof promptTokens === 'number' && { promptTokens }),
    ...(typeof contextTokens === 'number' && { contextTokens }),
  };
}

function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' && NAME.test(value) ? value : undefined;
}
