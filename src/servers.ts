/** The ports of one process: one for everything, or a second one for the operator. */

import { createAdminApp, createApp, type AppDeps } from './app.ts';
import type { Config } from './config/load.ts';
import type { ServerTls } from './core/tls.ts';
import { createServer, type GatewayServer, type Work } from './node/server.ts';

export interface Servers {
  /** Rejects when a port is not to be had. */
  listen(): Promise<Ports>;
  /** As GatewayServer does, both of them. */
  drain(timeoutMs: number): Promise<void>;
  readonly secure: GatewayServer['secure'];
}

export interface Ports {
  readonly port: number;
  /** undefined: the operator's endpoints are on the other one. */
  readonly adminPort: number | undefined;
}

/** How many ports each process listens on. */
export function countPorts({ server }: Config): number {
  return server.adminPort === undefined ? 1 : 2;
}

/** The ports are opened as `first` says; what may change while they are open is asked of `deps.config`. */
export function createServers(
  deps: AppDeps & Work & { config(): Config },
  { server: first }: Config,
): Servers {
  const { host, port, adminHost, adminPort } = first;
  const settings = { ...first, stalledReaderMs: () => deps.config().server.stalledReaderMs };
  const isApart = adminPort !== undefined;
  const server = createServer(createApp(deps, isApart), settings, deps);
  const admin = isApart
    ? createServer(createAdminApp(deps), { ...settings, tls: withoutClients(settings.tls) }, deps)
    : undefined;

  return {
    async listen() {
      // Clients come last: then everything else is there.
      const takenAdminPort = admin && isApart ? await admin.listen(adminPort, adminHost) : undefined;
      return { port: await server.listen(port, host), adminPort: takenAdminPort };
    },
    async drain(timeoutMs) {
      await Promise.all([server.drain(timeoutMs), admin?.drain(timeoutMs)]);
    },
    secure(tls) {
      server.secure(tls);
      admin?.secure(withoutClients(tls));
    },
  };
}

/** Probes of Kubernetes have no certificate to show; the operator has a key, and a network of his own. */
function withoutClients(tls: ServerTls | undefined): ServerTls | undefined {
  return tls && { ...tls, clientCa: undefined };
}
