/** The failure that every image which cannot be had ends in, as OpenAI has it: a 400 with its own code. */

import { GatewayError } from '../../core/errors.ts';

/** `message` holds nothing of what a server answered or a resolver said; `cause` is for the log. */
export function refusal(message: string, cause?: unknown): GatewayError {
  return new GatewayError('invalid_request', { message, code: 'invalid_image_url', cause });
}
