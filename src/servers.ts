/** The ports of one process: one for everything, or a second one for the operator. */

import { createAdminApp, createApp, type AppDeps } from './app.ts';
import type { Config } from './config/load.ts';
import { createServer, type Work } from './node/server.ts';

export interface Servers {
  /** Rejects when a port is not to be had. */
  listen(): Promise<Ports>;
  /** As GatewayServer does. */
  drain(timeoutMs: number): Promise<void>;
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

export function createServers(deps: AppDeps & Work, { server: settings }: Config): Servers {
  const { host, port, adminHost, adminPort } = settings;
  const isApart = adminPort !== undefined;
  const server = createServer(createApp(deps, isApart), settings, deps);
  const admin = isApart ? createServer(createAdminApp(deps), settings, deps) : undefined;

  return {
    async listen() {
      // Clients come last: then everything else is there.
      const takenAdminPort = admin && isApart ? await admin.listen(adminPort, adminHost) : undefined;
      return { port: await server.listen(port, host), adminPort: takenAdminPort };
    },
    async drain(timeoutMs) {
      await Promise.all([server.drain(timeoutMs), admin?.drain(timeoutMs)]);
    },
  };
}
