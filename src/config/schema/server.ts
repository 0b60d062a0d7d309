/** The process and its side of the clients' connections. */

import * as z from 'zod';
import { bytes, DAY_MS, limitMs, milliseconds, whole } from './forms.ts';
import { serverTls } from './tls.ts';

/** As browsers send it (RFC 6454, section 6.2), or all of them. */
const ORIGIN = /^(\*|[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*A-Z]+)$/;

export const server = z
  .strictObject({
    host: z.string().min(1).optional().describe('Address to listen on. 127.0.0.1 without a key, else all.'),
    port: whole(0, 65_535).default(3000).describe('Port to listen on; 0: any free one.'),
    adminPort: whole(0, 65_535)
      .optional()
      .describe("A port of its own for the operator's endpoints and metrics; 0: any free one."),
    adminHost: z.string().min(1).default('127.0.0.1').describe('Address of that port.'),
    tls: serverTls,
    workers: z
      .union([whole(1, 256), z.literal('auto')], { error: "expected a number from 1 to 256, or 'auto'" })
      .default(1)
      .describe('Processes that share the port; `auto`: one for each CPU.'),
    bodyLimitBytes: bytes.prefault('32mb').describe('Size of a request body.'),
    maxConcurrency: whole(0, 1_000_000)
      .default(0)
      .describe('Exchanges in flight on all backends together; 0: no limit.'),
    maxConnections: whole(0, 1_000_000)
      .default(10_000)
      .describe('Connections of clients; more are closed at once. 0: no limit.'),
    maxHeaderBytes: bytes.prefault('16kb').describe("Size of a request's head; 431 above it."),
    headersTimeoutMs: milliseconds(100, DAY_MS)
      .prefault(10_000)
      .describe("How long a client may take to send its request's head."),
    requestTimeoutMs: milliseconds(100, DAY_MS)
      .prefault(300_000)
      .describe('How long a client may take to send a whole request, head and body.'),
    keepAliveTimeoutMs: milliseconds(1, DAY_MS)
      .prefault(75_000)
      .describe('How long a connection without a request stays open.'),
    stalledReaderMs: limitMs
      .prefault(120_000)
      .describe(
        'How long a client may leave its answer unread before its connection is closed; 0: for ever.',
      ),
    cors: z
      .strictObject({
        origins: z
          .array(
            z
              .string()
              .regex(ORIGIN, "expected an origin such as https://chat.example.com, without a path, or '*'"),
          )
          .default([])
          .describe('Origins of web pages that may call; `*` for all.'),
        maxAgeMs: limitMs.prefault(DAY_MS).describe('How long a browser may remember that a page may call.'),
      })
      .prefault({}),
    allowAnonymous: z.boolean().default(false).describe('Allows a public address without any key.'),
    drainDelayMs: limitMs
      .prefault(0)
      .describe('How long after SIGTERM all is served as before, while `/readyz` says 503.'),
    drainTimeoutMs: limitMs
      .prefault(30_000)
      .describe('How long exchanges may then go on before they are ended with an error.'),
    watchConfig: z.boolean().default(true).describe('Loads the file anew when it changes.'),
  })
  .prefault({});
