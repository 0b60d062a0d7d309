/** A failure inside an answer that tells of other things too. */

import type { GatewayError } from '../../core/errors.ts';

/** As in an answer of its own. */
export function toErrorAnswer({ message, type, param, code }: GatewayError): object {
  return { message, type, param, code };
}
