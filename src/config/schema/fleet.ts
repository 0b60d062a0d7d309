/** Backends, and the names under which their models are offered. */

import * as z from 'zod';
import { DISCOVERIES, KINDS, MODEL_TYPES } from '../../core/fleet.ts';
import { whole } from './forms.ts';
import { timeouts } from './limits.ts';
import { backendTls } from './tls.ts';

export const backend = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
    .describe('Its name in logs, metrics and model names (`name/model`).'),
  kind: z.enum(KINDS).describe('What the server speaks.'),
  url: z.string().describe('Its base URL; `/v1` is added for the OpenAI kinds when there is no path.'),
  apiKey: z.string().min(1).optional().describe('Sent to the backend as a Bearer token.'),
  tls: backendTls,
  weight: z.number().min(0).max(1000).default(1).describe('Relative capacity; 0 takes no traffic.'),
  maxConcurrency: whole(0, 1_000_000)
    .optional()
    .describe('Exchanges in flight at most; 0: no limit. In place of `limits.maxConcurrency`.'),
  queue: whole(0, 100_000)
    .optional()
    .describe('Requests that may wait for each of its models; 0: none. In place of `limits.queue`.'),
  timeouts: timeouts.default({}).describe('Limits that differ from `limits.timeouts`.'),
  discovery: z
    .enum(DISCOVERIES)
    .default('none')
    .describe(
      '`dns`: every address of the host is a backend of its own. `kubernetes`: every pod of the Service that the host names.',
    ),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/))
    .default({})
    .describe('Sent with every request to the backend.'),
});

export const discovery = z
  .strictObject({
    intervalMs: whole(100, 86_400_000).default(10_000).describe('Time between two looks for backends.'),
    searchTimeoutMs: whole(1, 60_000)
      .default(1000)
      .describe('How long a model server on this machine may take to answer where no backend is configured.'),
    kubernetes: z
      .strictObject({
        url: z
          .string()
          .regex(/^https?:\/\/[^/?#@]+$/)
          .default('https://kubernetes.default.svc')
          .describe('Address of the API of Kubernetes, which tells the pods of a Service.'),
        credentialsFolder: z
          .string()
          .min(1)
          .default('/var/run/secrets/kubernetes.io/serviceaccount')
          .describe('Where `token`, `ca.crt` and `namespace` of the service account are.'),
      })
      .prefault({}),
  })
  .prefault({});

export const passthrough = z
  .strictObject({
    backend: z
      .string()
      .min(1)
      .optional()
      .describe('The backend that gets what the gateway does not model and that names no model.'),
    paths: z
      .record(z.string().regex(/^\/v1(\/[\w.~:@-]+)+$/), z.string().min(1))
      .default({})
      .describe('Another backend for paths that begin so; the longest counts.'),
  })
  .prefault({});

export const model = z.strictObject({
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
    .describe(
      'Options that load a model anew (num_ctx, …), keep_alive, shift and truncate, where requests may set them.',
    ),
  completionTemplate: z
    .boolean()
    .default(false)
    .describe("Sends text completions through the model's chat template (Ollama)."),
});
