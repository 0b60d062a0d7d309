/** Files of certificates and keys, of the gateway's own port and for its backends. */

import * as z from 'zod';

const file = z.string().min(1).optional();
const keyFile = file.describe('The key of that certificate.');
const keyPassphrase = z.string().min(1).optional().describe('Of the key, when it is encrypted.');

export const serverTls = z
  .strictObject({
    certFile: file.describe('The certificate, with those that lead to its authority. With it, TLS only.'),
    keyFile,
    keyPassphrase,
    clientCaFile: file.describe(
      'Authorities of clients: who has no certificate by one of them is refused (mutual TLS).',
    ),
  })
  .prefault({});

export const backendTls = z
  .strictObject({
    caFile: file.describe(
      "Authorities of the backend's certificate, in place of those that the machine trusts.",
    ),
    certFile: file.describe('The certificate that the gateway shows to it (mutual TLS).'),
    keyFile,
    keyPassphrase,
    serverName: z
      .string()
      // An address is no name (RFC 6066): no last label begins with a digit. Helm reads this by Go's rules.
      .regex(/^([A-Za-z0-9_-]+\.)*[A-Za-z][A-Za-z0-9_-]*$/)
      .optional()
      .describe('The name that its certificate must hold, in place of the host of the url.'),
  })
  .prefault({});
