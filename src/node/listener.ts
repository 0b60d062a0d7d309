/** The server of Node's that listens: plain, or encrypted with certificates that can be replaced meanwhile. */

import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerOptions,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '../core/exchange.ts';
import type { ServerTls } from '../core/tls.ts';
import { expiryOf, toSecureContext, toServerOptions } from './tls.ts';

export interface Listener {
  readonly server: Server;
  /**
   * For connections that begin from now on. Whether they are encrypted, and whether clients must have a
   * certificate, is settled at the start.
   */
  readonly secure: (tls: ServerTls | undefined) => void;
}

const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

export function createListener(
  app: RequestListener,
  options: ServerOptions & { readonly headersTimeout: number },
  first: ServerTls | undefined,
  logger: Logger,
): Listener {
  if (!first) return { server: createHttpServer(options, app), secure: () => undefined };
  let current = first;
  const server = createHttpsServer({ ...options, ...toServerOptions(first, options.headersTimeout) }, app);
  server.on('tlsClientError', (error, socket) => reportRefusal(error, socket, logger));
  reportCertificate(first, logger);
  const timer = setInterval(() => reportExpiry(current, logger), DAY_MS).unref();
  server.on('close', () => clearInterval(timer));

  return {
    server,
    secure(tls) {
      if (!tls) return;
      const { cert, clientCa } = current;
      // Without any, Node would take those that the machine trusts, and let in whoever has one of theirs.
      const next = { ...tls, clientCa: tls.clientCa ?? clientCa };
      server.setSecureContext(toSecureContext(next));
      current = next;
      if (next.cert !== cert) reportCertificate(next, logger);
    },
  };
}

function reportCertificate(tls: ServerTls, logger: Logger): void {
  logger.info('certificate loaded', { expires: new Date(expiryOf(tls)).toISOString() });
  reportExpiry(tls, logger);
}

/** Clients refuse a certificate that is over, and nobody tells the operator but the log. */
function reportExpiry(tls: ServerTls, logger: Logger): void {
  const expiresMs = expiryOf(tls);
  const fields = { expires: new Date(expiresMs).toISOString() };
  const leftMs = expiresMs - Date.now();
  if (leftMs <= 0) logger.error('the certificate has expired', fields);
  else if (leftMs < SOON_MS) logger.warn('the certificate expires soon', fields);
}

/** Whose certificate is refused hears no reason, and asks the operator. The others are scanners and probes. */
function reportRefusal({ code = '' }: NodeJS.ErrnoException, socket: TLSSocket, logger: Logger): void {
  // A text, whatever its type says, and null while no certificate was looked at.
  const complaint = socket.authorizationError as unknown;
  const hasNone = code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
  if (typeof complaint !== 'string' && !hasNone) {
    logger.debug('a TLS handshake failed', { code });
    return;
  }
  const reason = typeof complaint === 'string' ? complaint : 'it has none';
  logger.info('a client was refused for its certificate', { reason });
}
