/** What the server adds to connections whose requests wait in line. */

import type { Socket } from 'node:net';
import express, { type Response } from 'express';
import { expect, it } from '@jest/globals';
import { createLogger } from '../../src/node/logger.ts';
import { createServer } from '../../src/node/server.ts';
import { SERVER_SETTINGS } from '../support/fleet.ts';
import { eventually } from '../support/setup.ts';
import { HEALTH_REQUEST, openWireClient } from '../support/wire-client.ts';

it('tells answers in line that their client has left, without a limit, and goes when they have their turn', async () => {
  const waiting: Response[] = [];
  const closed: Response[] = [];
  const sockets = new Set<Socket>();
  const app = express();
  app.use((req, res) => {
    sockets.add(req.socket);
    waiting.push(res);
    res.on('close', () => closed.push(res));
  });
  const logger = createLogger({ level: 'error', format: 'json' });
  const server = createServer(app, SERVER_SETTINGS, { active: () => [], isBusy: () => false, logger });
  const client = openWireClient(await server.listen(0, '127.0.0.1'));
  const listeners = (): number =>
    [...sockets].reduce((sum, socket) => sum + socket.listenerCount('close'), 0);

  client.send(HEALTH_REQUEST);
  await eventually(() => waiting.length === 1);
  const before = listeners();
  client.send(HEALTH_REQUEST.repeat(5));
  await eventually(() => waiting.length === 6);
  expect(listeners()).toBe(before + 5);
  // Node warns of more than ten.
  expect([...sockets].map((socket) => socket.getMaxListeners())).toEqual([0]);
  for (const res of waiting.slice(0, 4)) res.end();
  await eventually(() => waiting[4]?.socket !== null);
  expect(listeners()).toBe(before + 1);

  client.socket.destroy();
  await eventually(() => closed.length === 6);
  expect(waiting.map(({ destroyed }) => destroyed)).toEqual(waiting.map(() => true));
  await server.drain(0);
});
