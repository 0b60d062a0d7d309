/** Who may enter and how much of everything they may have: keys in the configuration and in the key file. */

import * as z from 'zod';
import { whole } from './forms.ts';

const limit = whole(0, Number.MAX_SAFE_INTEGER);
const hash = z.string().refine((text) => /^(sha256|hmac-sha256):[0-9a-f]{64}$/.test(text), {
  error: "expected 'sha256:' or 'hmac-sha256:' and 64 hex digits in lower case.",
});
const pattern = z.string().min(1).max(256);
const time = z.iso.datetime({ offset: true });

const MAX_METADATA = 16;

/** Fit for log lines, metrics and tables without any quoting. */
export const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/;
export const KEY_NAME_RULE =
  "expected letters, digits, '.', '_', '@' and '-', the first a letter or a digit, 63 at most.";

const rates = {
  requestsPerMinute: limit.optional().describe('Requests in a minute; 0: no limit.'),
  tokensPerMinute: limit.optional().describe('Tokens of prompts and answers in a minute; 0: no limit.'),
};

const limits = z.strictObject({
  ...rates,
  concurrency: limit.optional().describe('Exchanges going on at the same time; 0: no limit.'),
  tokensPerDay: limit.optional().describe('Tokens of a day in UTC; 0: no limit.'),
  tokensPerMonth: limit.optional().describe('Tokens of a month in UTC; 0: no limit.'),
});

/** What may be said of a key, wherever it is written down. */
const holder = {
  name: z
    .string()
    .refine((text) => KEY_NAME.test(text), { error: KEY_NAME_RULE })
    .describe('Of the key: in logs, metrics and usage.'),
  models: z
    .array(pattern)
    .optional()
    .describe('Models that may be asked for, `*` for any text and `?` for any character; without it, all.'),
  limits: limits.optional().describe('In place of those of `auth.limits`, one by one.'),
  modelLimits: z
    .array(
      z.strictObject({
        models: pattern.describe('The models that share this limit, as a pattern.'),
        ...rates,
      }),
    )
    .optional(),
  priority: z.int().min(-100).max(100).optional().describe('Higher goes first where requests wait.'),
  expires: z
    .union([z.iso.date(), time], {
      error: 'expected a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z',
    })
    .optional()
    .describe('The key is refused from this moment on; a date means its beginning in UTC.'),
  admin: z.boolean().optional().describe("May use the operator's endpoints too."),
  metadata: z
    .record(z.string().min(1).max(64), z.string().max(512))
    .refine((pairs) => Object.keys(pairs).length <= MAX_METADATA, {
      error: `expected at most ${String(MAX_METADATA)} pairs.`,
    })
    .optional()
    .describe('Notes of the operator.'),
};

/** What the operator says of a key that is to be made. */
export const newKeySchema = z.strictObject(holder);

export type KeyHolder = z.output<typeof newKeySchema>;

const client = z
  .strictObject({
    ...holder,
    key: z.string().min(16).optional().describe('The key itself; only its hash is kept.'),
    hash: hash.optional().describe('In place of `key`: `sha256:` or `hmac-sha256:`, and 64 hex digits.'),
  })
  .refine(({ key, hash: hashed }) => (key === undefined) !== (hashed === undefined), {
    error: "needs either 'key' or 'hash'.",
  });

export const keyFile = z
  .string()
  .min(1)
  .optional()
  .describe('A file of keys, written by `node-ai-gateway keys`.');

export const hashSecret = z
  .string()
  .min(32)
  .optional()
  .describe('Keys are kept as HMAC-SHA256 with this secret, in place of SHA-256.');

export const auth = z
  .strictObject({
    key: z.string().min(32).optional().describe('The key of clients.'),
    keys: z.array(z.string().min(16)).default([]).describe('Further keys of clients.'),
    adminKey: z.string().min(32).optional().describe('The key of the operator.'),
    clients: z.array(client).default([]),
    keyFile,
    hashSecret,
    limits: z
      .strictObject({
        requestsPerMinute: limit.default(0).describe('Of every key that says nothing else; 0: no limit.'),
        tokensPerMinute: limit.default(0).describe('Tokens of prompts and answers in a minute.'),
        concurrency: limit.default(0).describe('Exchanges going on at the same time.'),
        tokensPerDay: limit.default(0).describe('Tokens of a day in UTC.'),
        tokensPerMonth: limit.default(0).describe('Tokens of a month in UTC.'),
      })
      .prefault({}),
  })
  .prefault({});

/** One key of the key file. Nothing has a default: what is read can be written again. */
const fileKey = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  ...holder,
  hash,
  created: time,
  revoked: time.optional(),
  previous: z.array(z.strictObject({ hash, expires: time })).optional(),
});

export type FileKey = z.output<typeof fileKey>;

/** The whole key file. */
export const keyFileSchema = z.strictObject({ keys: z.array(fileKey) });
