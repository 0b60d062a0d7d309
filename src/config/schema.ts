/** Every setting with its type, default and meaning. docs/configuration.md lists the same; a test compares them. */

import * as z from 'zod';
import { KINDS, MODEL_TYPES } from '../core/fleet.ts';
import { REASONING_KEYS } from '../core/reasoning.ts';

const whole = (low: number, high: number) => z.int().min(low).max(high);
/** Up to a day; 0 turns a limit off. */
const milliseconds = whole(0, 86_400_000);

const SIZE = /^(\d{1,12})\s*(b|kb|mb|gb)?$/i;
const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** A whole number of bytes, or a text such as 512kb, 32mb, 1gb (powers of 1024). */
const bytes = z.union([whole(1, 2 ** 40), z.string().regex(SIZE)]).transform((size) => {
  if (typeof size === 'number') return size;
  const [, digits = '', unit = 'b'] = SIZE.exec(size) ?? [];
  return Number(digits) * (UNITS[unit.toLowerCase()] ?? 1);
});

const timeouts = z.strictObject({
  connectMs: milliseconds.min(1).describe('Opening a connection to a backend.'),
  firstTokenMs: milliseconds.describe('From sending a request to the first piece of the answer.'),
  idleMs: milliseconds.describe('Between two pieces of an answer.'),
  totalMs: milliseconds.describe('From sending a request to the end of the answer.'),
});

const DEFAULT_TIMEOUTS = { connectMs: 5000, firstTokenMs: 600_000, idleMs: 120_000, totalMs: 3_600_000 };

const backend = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
    .describe('Its name in logs, metrics and model names (`name/model`).'),
  kind: z.enum(KINDS).describe('What the server speaks.'),
  url: z.string().describe('Its base URL; `/v1` is added for the OpenAI kinds when there is no path.'),
  apiKey: z.string().min(1).optional().describe('Sent to the backend as a Bearer token.'),
  weight: z.number().min(0).max(1000).default(1).describe('Relative capacity; 0 takes no traffic.'),
  maxConcurrency: whole(0, 1_000_000).default(0).describe('Exchanges in flight at most; 0: no limit.'),
  queue: whole(0, 1_000_000).default(0).describe('Requests that may wait when it has that many; 0: none.'),
  timeouts: timeouts.partial().default({}).describe('Limits that differ from `limits.timeouts`.'),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/))
    .default({})
    .describe('Sent with every request to the backend.'),
});

const model = z.strictObject({
  targets: z
    .array(
      z.strictObject({
        backend: z.string().optional().describe('A backend by name; without it, all that have the model.'),
        model: z.string().min(1).describe('What the backend calls the model.'),
      }),
    )
    .min(1)
    .optional()
    .describe('Where the model can be had; without it, the same name on all backends.'),
  type: z
    .enum(MODEL_TYPES)
    .optional()
    .describe('What the model is for; requests for the other (text or vectors) are refused.'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Fixed for the model and sent with every request: num_ctx, keep_alive, min_p, …'),
  requestOptions: z
    .array(z.string().min(1))
    .default([])
    .describe('Options that load a model anew (num_ctx, …) which requests may set all the same.'),
  completionTemplate: z
    .boolean()
    .default(false)
    .describe("Sends text completions through the model's chat template (Ollama)."),
});

const key = z.string().min(16);

export const configSchema = z.strictObject({
  server: z
    .strictObject({
      host: z.string().min(1).optional().describe('Address to listen on. 127.0.0.1 without a key, else all.'),
      port: whole(0, 65_535).default(3000).describe('Port to listen on; 0: any free one.'),
      workers: whole(1, 256).default(1).describe('Processes that share the port.'),
      bodyLimitBytes: bytes.prefault('32mb').describe('Size of a request body.'),
      corsOrigins: z
        .array(z.string().min(1))
        .default([])
        .describe('Origins of web pages that may call; `*` for all.'),
      allowAnonymous: z.boolean().default(false).describe('Allows a public address without any key.'),
      drainTimeoutMs: milliseconds
        .default(30_000)
        .describe('How long streams may go on after SIGTERM before they are ended with an error.'),
    })
    .prefault({}),
  auth: z
    .strictObject({
      key: z.string().min(32).optional().describe('The key of clients.'),
      keys: z.array(key).default([]).describe('Further keys of clients.'),
      adminKey: z.string().min(32).optional().describe('The key of the operator.'),
    })
    .prefault({}),
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
  streams: z
    .strictObject({
      heartbeatMs: milliseconds
        .default(15_000)
        .describe('Silence inside a stream after which a comment is sent; 0: never.'),
      commitAfterMs: milliseconds
        .default(30_000)
        .describe(
          'Silence before the first token after which a comment is sent. It keeps proxies from closing the ' +
            'connection, and no other backend can be tried afterwards; 0: never.',
        ),
      reasoningKeys: z
        .enum(REASONING_KEYS)
        .default('both')
        .describe('Under which names thinking is sent: reasoning, reasoning_content, both or none.'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      timeouts: timeouts.partial().default({}).describe('Limits of every backend.'),
      queueTimeoutMs: whole(1, 3_600_000)
        .default(30_000)
        .describe('How long a request may wait for a busy backend.'),
      maxAttempts: whole(1, 10).default(3).describe('Backends tried for one request.'),
      maxChoices: whole(1, 128).default(8).describe('Answers to one request (`n`).'),
      maxRecordBytes: bytes.prefault('16mb').describe('Size of one line or event of a backend.'),
      maxResponseBytes: bytes.prefault('64mb').describe('Size of an answer that is not streamed.'),
    })
    .prefault({}),
  images: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('Fetches images that are given by URL for Ollama backends.'),
      maxBytes: bytes.prefault('20mb').describe('Size of one image.'),
      timeoutMs: whole(100, 300_000).default(10_000).describe('How long fetching one may take.'),
      maxRedirects: whole(0, 10).default(3).describe('Redirects that are followed.'),
      allowHosts: z
        .array(z.string().regex(/^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i))
        .default([])
        .describe('Hosts (`host` or `host:port`) that may have a private address; all others may not.'),
    })
    .prefault({}),
  strict: z
    .boolean()
    .default(false)
    .describe('Refuses parameters that have no effect, instead of naming them in a header.'),
  probes: z
    .strictObject({
      intervalMs: whole(100, 86_400_000).default(5000).describe('Time between two probes of a backend.'),
      timeoutMs: whole(100, 60_000).default(2000).describe('How long a probe may take.'),
    })
    .prefault({}),
  backends: z.array(backend).default([]),
  models: z.record(z.string().min(1).max(256), model).default({}),
});

export type Settings = z.output<typeof configSchema>;
export { DEFAULT_TIMEOUTS };
