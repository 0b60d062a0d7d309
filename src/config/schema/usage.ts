/** What is kept of usage, and what it costs. */

import * as z from 'zod';
import { bytes, DAY_MS, milliseconds, whole } from './forms.ts';

export const usage = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('Counts requests and tokens per key, model, backend and day.'),
    folder: z.string().min(1).default('usage').describe('Where the counts are kept, as files of JSON lines.'),
    flushMs: milliseconds(100, DAY_MS)
      .prefault(10_000)
      .describe('How long counts stay in memory before they are written.'),
    maxFileBytes: bytes.prefault('16mb').describe('Size of a file from which on another one is begun.'),
    keepDays: whole(1, 36_500).default(400).describe('Days after which they are removed.'),
  })
  .prefault({});

const price = z.number().min(0).max(1e9);

export const prices = z
  .strictObject({
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .default('USD')
      .describe('Of all prices, in three letters (ISO 4217).'),
    models: z
      .record(
        z.string().min(1).max(256),
        z.strictObject({
          input: price.default(0).describe('Of a million tokens of input.'),
          cached: price.optional().describe('Of those that came from a cache; as any input, if not given.'),
          output: price.default(0).describe('Of a million tokens of output.'),
        }),
      )
      .default({}),
  })
  .prefault({});
