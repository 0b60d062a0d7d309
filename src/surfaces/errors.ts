/** Errors as OpenAI writes them. */

import type { GatewayError } from '../core/errors.ts';
import type { ByteText } from '../core/stream.ts';
import { encodeUtf8 } from '../wire/utf8.ts';

/** All four keys, always. */
export function errorBody({ message, type, param, code }: GatewayError): ByteText {
  return encodeUtf8(JSON.stringify({ error: { message, type, param, code } }));
}

export function errorEvent(error: GatewayError): ByteText {
  return `data: ${errorBody(error)}\n\n` as ByteText;
}
