/** The gateway's app with everything behind it broken: the only way to its 500s. */

import { createApp, type AppDeps } from '../../src/app.ts';
import { createServer } from '../../src/node/server.ts';
import { SERVER_SETTINGS } from '../support/fleet.ts';

export async function startBrokenApp(
  deps: Omit<AppDeps, 'reload'>,
): Promise<{ url: string; close(): Promise<void> }> {
  const fail = (): never => {
    throw new Error('a secret of the inside');
  };
  const app = createApp({
    ...deps,
    current: () => ({ ...deps.current(), dispatch: { run: fail } }),
    reload: fail,
    readOpenapi: fail,
    metrics: { path: '/metrics', render: fail },
  });
  const server = createServer(app, SERVER_SETTINGS, {
    active: () => [],
    isBusy: () => false,
    logger: deps.logger,
  });
  const port = await server.listen(0, '127.0.0.1');
  return { url: `http://127.0.0.1:${String(port)}`, close: () => server.drain(0) };
}
