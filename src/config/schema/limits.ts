/** Limits of the exchanges, and what happens when a backend meets them. */

import * as z from 'zod';
import { REASONING_KEYS } from '../../core/reasoning.ts';
import { bytes, DAY_MS, limitMs, milliseconds, whole } from './forms.ts';

export const timeouts = z.strictObject({
  connectMs: milliseconds(1, DAY_MS).optional().describe('Opening a connection to a backend.'),
  firstTokenMs: limitMs.optional().describe('From sending a request to the first piece of the answer.'),
  idleMs: limitMs.optional().describe('Between two pieces of an answer.'),
  totalMs: limitMs.optional().describe('From sending a request to the end of the answer.'),
});

export const DEFAULT_TIMEOUTS = {
  connectMs: 5000,
  firstTokenMs: 600_000,
  idleMs: 120_000,
  totalMs: 3_600_000,
};

export const streams = z
  .strictObject({
    heartbeatMs: limitMs
      .prefault(15_000)
      .describe('Silence inside a stream after which a comment is sent; 0: never.'),
    commitAfterMs: limitMs
      .prefault(30_000)
      .describe(
        'Silence before the first token after which a comment is sent. It keeps proxies from closing the ' +
          'connection, and no other backend can be tried afterwards; 0: never.',
      ),
    rescue: z
      .boolean()
      .default(false)
      .describe('Lets another backend go on with a text whose backend died in the middle.'),
    reasoningKeys: z
      .enum(REASONING_KEYS)
      .default('both')
      .describe('Under which names thinking is sent: reasoning, reasoning_content, both or none.'),
  })
  .prefault({});

export const limits = z
  .strictObject({
    timeouts: timeouts.default({}).describe('Limits of every backend.'),
    maxConcurrency: whole(0, 1_000_000)
      .default(0)
      .describe('Exchanges in flight on each backend that does not say otherwise; 0: no limit.'),
    queue: whole(0, 100_000)
      .default(64)
      .describe('Requests that may wait for each model of each busy backend that does not say otherwise.'),
    queueTimeoutMs: milliseconds(1, DAY_MS)
      .prefault(30_000)
      .describe('How long a request may wait for a busy backend.'),
    maxAttempts: whole(1, 10)
      .default(3)
      .describe('Attempts for one request, on one backend after the other.'),
    retryBudget: z
      .strictObject({
        ratio: z
          .number()
          .min(0)
          .max(1)
          .default(0.2)
          .describe('Further attempts, as a share of the requests of the last ten seconds.'),
        minPerSecond: whole(0, 1_000_000)
          .default(10)
          .describe('Further attempts that are allowed in each second whatever the share.'),
      })
      .prefault({}),
    maxCooldownMs: limitMs
      .prefault(60_000)
      .describe('The longest time for which a `Retry-After` of a backend keeps requests from it.'),
    maxChoices: whole(1, 128).default(8).describe('Answers to one request (`n`).'),
    maxRecordBytes: bytes.prefault('16mb').describe('Size of one line or event of a backend.'),
    maxResponseBytes: bytes.prefault('64mb').describe('Size of an answer that is not streamed.'),
  })
  .prefault({});

export const circuit = z
  .strictObject({
    failures: whole(1, 1_000_000)
      .default(5)
      .describe('Failures in a row that open the circuit of a backend.'),
    failureShare: z
      .number()
      .min(0.01)
      .max(1)
      .default(0.5)
      .describe('Share of failures in the window that opens it too.'),
    minRequests: whole(1, 1_000_000)
      .default(20)
      .describe('Exchanges in the window below which the share does not count.'),
    windowMs: milliseconds(100, DAY_MS).prefault(30_000).describe('What the share is taken of.'),
    openMs: milliseconds(1, DAY_MS)
      .prefault(5000)
      .describe('How long it stays open before one request may try.'),
    rampMs: limitMs
      .prefault(30_000)
      .describe('How long a backend that came back takes to get its full share of requests.'),
  })
  .prefault({});

export const probes = z
  .strictObject({
    intervalMs: milliseconds(100, DAY_MS).prefault(5000).describe('Time between two probes of a backend.'),
    timeoutMs: milliseconds(100, 60_000).prefault(2000).describe('How long a probe may take.'),
    downAfter: whole(1, 100)
      .default(2)
      .describe('Failed probes in a row after which a backend is down; a refused connection is enough.'),
  })
  .prefault({});

export const images = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Fetches images that are given by URL for Ollama backends.'),
    maxBytes: bytes.prefault('20mb').describe('Size of one image.'),
    maxTotalBytes: bytes.prefault('32mb').describe('Size of all images of one request together.'),
    maxDownloads: whole(1, 10_000).default(32).describe('Images that are fetched at the same time.'),
    timeoutMs: milliseconds(100, 300_000).prefault(10_000).describe('How long fetching one may take.'),
    maxRedirects: whole(0, 10).default(3).describe('Redirects that are followed.'),
    allowHosts: z
      .array(z.string().regex(/^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i))
      .default([])
      .describe('Hosts (`host` or `host:port`) that may have a private address; all others may not.'),
  })
  .prefault({});
