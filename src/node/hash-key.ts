/** How keys are kept: as hashes, from which nobody gets them back. */

import { createHash, createHmac } from 'node:crypto';
import type { HashKey } from '../core/api-key.ts';

/** A key is 16 characters or more that nobody guesses: it needs no salt, and no slow hash. */
export const hashKey: HashKey = (key, secret) =>
  secret === undefined
    ? `sha256:${createHash('sha256').update(key).digest('hex')}`
    : `hmac-sha256:${createHmac('sha256', secret).update(key).digest('hex')}`;
