/** How much all clients together may have, and where limits are counted. */

import * as z from 'zod';
import { whole } from './forms.ts';

const MAX_COUNT = 1_000_000_000;
const MAX_TOKENS = 1_000_000_000_000;

export const quota = z
  .strictObject({
    requestsPerMinute: whole(0, MAX_COUNT).default(0).describe('Requests in a minute; 0: no limit.'),
    tokensPerMinute: whole(0, MAX_TOKENS)
      .default(0)
      .describe('Tokens of prompts and answers in a minute; 0: no limit.'),
    concurrency: whole(0, 1_000_000).default(0).describe('Requests going on at the same time; 0: no limit.'),
    tokensPerDay: whole(0, MAX_TOKENS).default(0).describe('Tokens in a day of UTC; 0: no limit.'),
    tokensPerMonth: whole(0, MAX_TOKENS).default(0).describe('Tokens in a month of UTC; 0: no limit.'),
  })
  .prefault({});

export const redis = z
  .strictObject({
    url: z
      .string()
      // What stands there may hold a password: the fault does not show it.
      .refine((text) => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol), {
        error: 'expected a redis:// or rediss:// URL, such as redis://:password@host:6379.',
      })
      .optional()
      .describe('A Redis or Valkey server that counts for all gateways together.'),
    prefix: z
      .string()
      .regex(/^[\w.:-]{0,64}$/)
      .default('ai-gateway:')
      .describe('What the names of all keys in it begin with.'),
    failClosed: z
      .boolean()
      .default(false)
      .describe('Refuses clients with limits while it is gone, instead of counting in memory.'),
  })
  .prefault({});
