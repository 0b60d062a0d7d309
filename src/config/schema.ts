/** Every setting with its type, default and meaning. docs/configuration.md lists the same; a test compares them. */

import * as z from 'zod';
import { auth } from './schema/auth.ts';
import { backend, discovery, model, passthrough } from './schema/fleet.ts';
import { circuit, DEFAULT_TIMEOUTS, images, limits, probes, streams } from './schema/limits.ts';
import { quota, redis } from './schema/quota.ts';
import { server } from './schema/server.ts';
import { tracing } from './schema/tracing.ts';
import { prices, usage } from './schema/usage.ts';

export const configSchema = z.strictObject({
  server,
  auth,
  quota,
  redis,
  log: z
    .strictObject({
      level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('The least that is logged.'),
      format: z.enum(['json', 'pretty']).optional().describe('json in production, else pretty.'),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Offers metrics for Prometheus.'),
      path: z
        .string()
        .regex(/^\/[\w./-]*$/)
        .default('/metrics')
        .describe('Their path.'),
    })
    .prefault({}),
  usage,
  prices,
  tracing,
  streams,
  limits,
  circuit,
  images,
  passthrough,
  strict: z
    .boolean()
    .default(false)
    .describe('Refuses parameters that have no effect, instead of naming them in a header.'),
  probes,
  discovery,
  backends: z.array(backend).default([]),
  models: z.record(z.string().min(1).max(256), model).default({}),
});

export type Settings = z.output<typeof configSchema>;
export { DEFAULT_TIMEOUTS };
